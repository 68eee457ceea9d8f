"""The policy in the operator's guide is enough for everything that Tribune does, and nothing more."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.model import OperationModel
from moto import mock_aws
from moto.core import enable_iam_authentication

from pipeline.errors import StoreRefused
from pipeline.objectstore import PUBLIC
from pipeline.ports import ObjectHeaders
from pipeline.s3 import SMALLEST_PART, S3Options, S3Store, open_store
from pipeline.site.model import SiteOptions
from pipeline.site.render import LearnerSite
from pipeline.verification import verify
from pipeline.withdrawal import restore, withdraw
from tests.test_publishing import make_bundle, put_out

POLICY = json.loads((Path(__file__).parent.parent / "docs" / "s3-policy.json").read_bytes())
PLAIN = ObjectHeaders(content_type="x/y", cache_control="no-cache")
ACTIONS = {
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "CompleteMultipartUpload": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "PutBucketVersioning": "put_up_by_the_test",
    "GetBucketVersioning": "s3:GetBucketVersioning",
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListObjectsV2": "s3:ListBucket",
    "ListParts": "s3:ListMultipartUploadParts",
    "PutObject": "s3:PutObject",
    "UploadPart": "s3:PutObject",
}
"""What S3's documentation says each request needs."""

SITE = LearnerSite(SiteOptions(address="https://talks.example.org"))


def do_everything(store: S3Store, folder: Path) -> None:
    """Do with a store whatever Tribune ever does with one that it has not made itself."""
    bundle = make_bundle(folder)
    put_out(bundle, store, SITE)
    put_out(make_bundle(folder, "Bonsoir"), store, SITE)
    assert verify(bundle.session.id, store, thorough=True) == ()
    key = f"sessions/{bundle.session.id}/r9-00000000/video.mp4"
    store._client.create_multipart_upload(Bucket=store.options.bucket, Key=key)
    file = folder / "video"
    file.write_bytes(b"x" * (SMALLEST_PART + 1))
    store.write(f"{key}.other", file, PLAIN, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    withdraw(bundle.session.id, store, views=SITE)
    restore(bundle.session.id, store)
    put_out(bundle, store, SITE)


def in_parts(options: S3Options) -> S3Options:
    return replace(options, multipart_bytes=SMALLEST_PART, part_bytes=SMALLEST_PART)


def note_requests(store: S3Store) -> tuple[set[str], set[str]]:
    """Return two sets that get the actions and the keys of all requests from now on."""
    actions: set[str] = set()
    keys: set[str] = set()

    def note(params: dict[str, Any], model: OperationModel, **_: object) -> None:
        each = params.get("Delete", {}).get("Objects", [])
        if model.name == "DeleteObjects":
            actions.update("s3:DeleteObjectVersion" if "VersionId" in found else "s3:DeleteObject" for found in each)
        else:
            actions.add(ACTIONS[model.name])
        keys.update([params["Key"]] if "Key" in params else [found["Key"] for found in each])

    store._client.meta.events.register("provide-client-params.s3", note)
    return actions, keys


def test_the_policy_allows_what_is_done_and_nothing_more(bucket: S3Options, tmp_path: Path) -> None:
    with open_store(in_parts(bucket)) as store:
        actions, keys = note_requests(store)
        do_everything(store, tmp_path)
        versions = {"Status": "Enabled"}
        store._client.put_bucket_versioning(Bucket=bucket.bucket, VersioningConfiguration=versions)  # type: ignore[arg-type]
        do_everything(store, tmp_path)
    actions.remove("put_up_by_the_test")
    allowed = [set(statement["Action"]) for statement in POLICY["Statement"]]
    assert actions == allowed[0] | allowed[1]
    assert not allowed[0] & allowed[1]
    patterns = [resource.partition("BUCKET/")[2] for resource in POLICY["Statement"][0]["Resource"]]
    assert all(any(fnmatchcase(key, pattern) for pattern in patterns) for key in keys)
    assert all(any(fnmatchcase(key, pattern) for key in keys) for pattern in patterns)
    assert sorted(patterns) == sorted(PUBLIC)


def test_a_service_that_enforces_the_policy_lets_all_of_it_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="talks")
        iam = boto3.client("iam", region_name="us-east-1")
        iam.create_user(UserName="tribune")
        # To moto, removing several objects at once is done to the bucket; to S3, to each object.
        removing = {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::BUCKET"}
        statements = [*POLICY["Statement"], removing]
        policy = json.dumps({**POLICY, "Statement": statements}).replace("BUCKET", "talks")
        iam.put_user_policy(UserName="tribune", PolicyName="tribune", PolicyDocument=policy)
        keys = iam.create_access_key(UserName="tribune")["AccessKey"]
        options = S3Options(
            bucket="talks", access_key=keys["AccessKeyId"], secret_key=keys["SecretAccessKey"], attempts=1
        )
        with open_store(in_parts(options)) as store, enable_iam_authentication():
            do_everything(store, tmp_path)
            with pytest.raises(StoreRefused):
                store.write("private/x", b"x", PLAIN, sha256=hashlib.sha256(b"x").hexdigest())
            with pytest.raises(ClientError, match="AccessDenied"):
                store._client.put_bucket_policy(Bucket="talks", Policy=policy)
