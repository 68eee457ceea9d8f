"""A published session and a site on disk, as the tests of the learner pages need them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import html
import itertools
import random
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.ffmpeg import find_programs
from pipeline.formatting import format_seconds
from pipeline.site.model import (
    INDEXES,
    CatalogueEntry,
    Index,
    MachineFile,
    PublishedFile,
    PublishedSession,
    Shelf,
    SiteOptions,
)
from pipeline.site.phrases import make_paragraphs
from pipeline.site.render import LearnerSite
from pipeline.site.subjects import list_key, subjects_of
from pipeline.themes import CommonTheme, Theme
from pipeline.types import (
    LANGUAGES,
    Bilingual,
    Chapter,
    Cue,
    Highlight,
    Language,
    Licence,
    Line,
    ModelUse,
    Notice,
    Person,
    Provenance,
    Resource,
    Session,
    Span,
    Speaker,
    Transcript,
    Turn,
    Word,
)
from pipeline.visible import visible

WORD_MS = 360
WITHDRAWN = "3" * 16
"""Id of a session that was withdrawn."""

ADDRESS = "https://talks.example.org/site"
OPTIONS = SiteOptions(address=ADDRESS)
"""Of a site whose address is known."""

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)> ' onfocus='alert(1)",
    "--> {{ 7 * 7 }} {% raw %} &amp; &lt;b&gt; ]]>",
    "\u202eשלום مرحبا\u202c",
    "long " + "x" * 495,
    "Zoé 👩🏽‍🏫🎓 café",
)
"""What a stranger may put into any text."""

EVERYTHING = Bilingual.same(" ".join(HOSTILE))
PROGRAMME = Bilingual(en="Digital skills for public servants", fr="Compétences numériques pour la fonction publique")
PLAIN_LANGUAGE = Bilingual(en="Plain language", fr="Langage clair")
"""What the sessions and lists here are of."""

ENGLISH = "0123456789abcdef"
FRENCH = "fedcba9876543210"
HOSTILE_ID = "1" * 16
"""Ids of the sessions of the site on disk."""

PAGE_KINDS = {
    "choice": "index.html",
    "home": "{language}/index.html",
    "month": "{language}/lists/2026-11.html",
    "programme": f"{{language}}/lists/{list_key('programme', PROGRAMME)}.html",
    "hostile-programme": f"{{language}}/lists/{list_key('programme', EVERYTHING)}.html",
    "heard": f"{{language}}/lists/{list_key('programme', PROGRAMME)}-heard.html",
    "hostile-heard": f"{{language}}/lists/{list_key('programme', EVERYTHING)}-heard.html",
    "topics": "{language}/lists/topics.html",
    "people": "{language}/lists/people.html",
    "topic": f"{{language}}/lists/{list_key('topic', PLAIN_LANGUAGE)}.html",
    "hostile-person": f"{{language}}/lists/{list_key('person', EVERYTHING)}.html",
    "search": "{language}/search.html",
    "session": f"sessions/{ENGLISH}/{{language}}.html",
    "french-session": f"sessions/{FRENCH}/{{language}}.html",
    "hostile-session": f"sessions/{HOSTILE_ID}/{{language}}.html",
    "embedded": f"sessions/{ENGLISH}/embed.{{language}}.html",
    "hostile-embedded": f"sessions/{HOSTILE_ID}/embed.{{language}}.html",
    "withdrawn": f"sessions/{WITHDRAWN}/{{language}}.html",
}
"""Every kind of page, with where it lies on the site that :func:`write_site` makes of :func:`make_sessions`.

What is here is looked at in a browser, checked by a validator, read for words of the other language and photographed.
"""


PASSAGES = "#pane .said > span:not([class], [id])"
"""The passages of a transcript on its page, for style sheets and browsers."""


def in_passage(elements: Sequence[tuple[str, Mapping[str, str | None]]]) -> bool:
    """Say whether what stands within these open elements, the outermost first, is a passage of a transcript."""
    return any(
        outer.get("class") == "said" and tag == "span" and not {"class", "id"} & attrs.keys()
        for (_, outer), (tag, attrs) in itertools.pairwise(elements)
    )


def start_of(published: PublishedSession, words: str) -> int:
    """Return when the first passage with these words begins, in ms."""
    laid = (phrase for turn in published.transcript.turns for part in make_paragraphs(turn) for phrase in part)
    return next(phrase.start_ms for phrase in laid if words in phrase.text)


def page_paths(*kinds: str) -> list[str]:
    """Return where the pages of these kinds lie, of all where none is named, each once."""
    chosen = [PAGE_KINDS[kind] for kind in kinds or PAGE_KINDS]
    return list(dict.fromkeys(path.format(language=language) for path in chosen for language in LANGUAGES))


TURNS: dict[Language, tuple[tuple[str, str], ...]] = {
    "en": (
        (
            "S1",
            "Good morning, everyone, and welcome to the third week of the programme. Today we talk about "
            "plain language.",
        ),
        (
            "S2",
            "Thank you for having me. When people read a public page, they look for one thing: what do I "
            "have to do now?",
        ),
        ("S1", "And what do they usually find instead?"),
        (
            "S2",
            "They find the history of the programme, the name of the act, three acronyms and a form. We "
            "tested forty pages with readers last winter, and in thirty of them nobody reached the "
            "answer in the first minute. So we turned the order around. The answer comes first, then who "
            "it is for, then the exceptions. It sounds simple, but it means that somebody has to decide "
            "what the answer is, and that is where the real work starts. Writers cannot do that alone.",
        ),
        (
            "S3",
            "May I add something? In our region the French pages were written first, not translated, and "
            "they tested better.",
        ),
        ("S1", "That is a point we should come back to."),
    ),
    "fr": (
        (
            "S1",
            "Bonjour à toutes et à tous, et bienvenue à la troisième semaine du programme. Aujourd’hui, "
            "on parle de langage clair.",
        ),
        (
            "S2",
            "Merci de m’accueillir. Quand les gens lisent une page publique, ils cherchent une seule "
            "chose\u00a0: que dois-je faire?",
        ),
        ("S1", "Et que trouvent-ils plutôt, d’habitude?"),
        (
            "S2",
            "Ils trouvent l’historique du programme, le nom de la loi, trois sigles et un formulaire. "
            "L’hiver dernier, nous avons évalué quarante pages avec des lectrices et des lecteurs, et "
            "dans trente d’entre elles, personne n’a trouvé la réponse en moins d’une minute. Nous avons "
            "donc inversé l’ordre. La réponse vient d’abord, puis le public visé, puis les exceptions. "
            "Cela paraît simple, mais quelqu’un doit décider quelle est la réponse, et c’est là que le "
            "vrai travail commence.",
        ),
        (
            "S3",
            "Je peux ajouter quelque chose? Dans notre région, les pages françaises ont été rédigées "
            "d’abord, et non traduites.",
        ),
        ("S1", "C’est un point sur lequel il faudra revenir."),
    ),
}

SESSION: dict[Language, Session] = {
    "en": Session(
        id=ENGLISH,
        title=Bilingual(en="Plain language in public services", fr="Le langage clair dans les services publics"),
        languages=("en",),
        date=dt.date(2026, 11, 12),
        programme=PROGRAMME,
        week=3,
        community=Bilingual(en="Communicators", fr="Communicatrices et communicateurs"),
        topics=(PLAIN_LANGUAGE, Bilingual(en="Usability", fr="Convivialité")),
        host=Person(name="Miriam Osei", role=Bilingual(en="Facilitator", fr="Animatrice")),
        guests=(
            Person(
                name="Daniel Tremblay",
                role=Bilingual(en="Content designer", fr="Concepteur de contenu"),
                organisation=Bilingual(en="Harbourview Library Network", fr="Réseau des bibliothèques Harbourview"),
            ),
            Person(name="Sahar Rahimi", role=Bilingual(en="Regional adviser")),
        ),
        description=Bilingual(
            en="How forty public pages were tested with readers, and what changed afterwards.",
            fr="Comment quarante pages publiques ont été évaluées avec leur lectorat, et ce qui a changé ensuite.",
        ),
        rights=Bilingual(
            en="Free to use and share with attribution (CC BY 4.0).",
            fr="Utilisation et partage libres avec mention de la source (CC BY 4.0).",
        ),
        consent=Bilingual(
            en="Everyone recorded agreed to publication.",
            fr="Toutes les personnes enregistrées ont consenti à la publication.",
        ),
    ),
    "fr": Session(
        id=FRENCH,
        title=Bilingual(fr="Rédiger d’abord en français\u00a0: retour d’expérience"),
        languages=("fr", "en"),
        date=dt.date(2026, 11, 1),
        programme=PROGRAMME,
        week=1,
        guests=(Person(name="Geneviève L’Écuyer", role=Bilingual(fr="Linguiste-conseil")),),
        rights=Bilingual(fr="Utilisation libre avec mention de la source."),
    ),
}


def make_words(text: str, language: str, start_ms: int = 0) -> tuple[Word, ...]:
    """Return a text as words at an even pace."""
    return tuple(
        Word(
            start_ms=start_ms + index * WORD_MS,
            end_ms=start_ms + (index + 1) * WORD_MS - 40,
            text=word,
            probability=0.9,
            language=language,
        )
        for index, word in enumerate(text.split(" "))
    )


def make_transcript(session: Session, turns: Sequence[tuple[str | None, str]]) -> Transcript:
    """Return a transcript of what each said, without pauses."""
    made: list[Turn] = []
    at = 500
    for speaker, text in turns:
        words = make_words(text, session.language, at)
        made.append(Turn(speaker=speaker, words=words))
        at = words[-1].end_ms + 400
    keys = dict.fromkeys(speaker for speaker, _ in turns if speaker is not None)
    names = {"S1": "Miriam Osei", "S2": "Daniel Tremblay"}
    return Transcript(
        session_id=session.id,
        language=session.language,
        duration_ms=at + 1_000,
        turns=tuple(made),
        speakers=tuple(Speaker(key=key, name=names.get(key)) for key in keys),
    )


def make_cues(transcript: Transcript) -> tuple[Cue, ...]:
    """Return one caption a passage of the transcript: enough to be played."""
    passages = [(turn, passage) for turn in transcript.turns for part in make_paragraphs(turn) for passage in part]
    return tuple(
        Cue(
            start_ms=passage.words[0].start_ms,
            end_ms=passage.words[-1].end_ms,
            id=str(number),
            lines=(Line(words=passage.words, speaker=turn.speaker, language=passage.language),),
        )
        for number, (turn, passage) in enumerate(passages, start=1)
    )


def make_files(language: Language, revision: str) -> tuple[PublishedFile, ...]:
    """Return what is published of a session in that language."""
    listed = (
        ("audio.m4a", 12_345_678, "audio/mp4", "audio", None),
        (f"captions.{language}.srt", 41_200, "application/x-subrip; charset=utf-8", "captions", language),
        (f"captions.{language}.vtt", 45_900, "text/vtt; charset=utf-8", "captions", language),
        (f"chapters.{language}.vtt", 310, "text/vtt; charset=utf-8", "chapters", language),
        ("poster.jpg", 81_000, "image/jpeg", "poster", None),
        ("session.json", 6_200, "application/json; charset=utf-8", "metadata", None),
        (f"transcript.{language}.html", 62_100, "text/html; charset=utf-8", "transcript", language),
        (f"transcript.{language}.json", 310_000, "application/json; charset=utf-8", "transcript", language),
        (f"transcript.{language}.md", 30_700, "text/markdown; charset=utf-8", "transcript", language),
        (f"transcript.{language}.txt", 29_100, "text/plain; charset=utf-8", "transcript", language),
        ("video.mp4", 231_456_789, "video/mp4", "video", None),
    )
    return tuple(
        PublishedFile(
            name=name,
            href=f"{revision}/{name}",
            size=size,
            content_type=content_type,
            role=role,
            language=own,
            download_name=None if role == "poster" else f"plain-language-{name}",
        )
        for name, size, content_type, role, own in listed
    )


def make_published(language: Language = "en", *, repeat: int = 1, session: Session | None = None) -> PublishedSession:
    """Return a session as publishing would hand it to the pages, its talk repeated for length."""
    session = session or SESSION[language]
    transcript = make_transcript(session, TURNS[language] * repeat)
    revision = "r1-3fa9c1d2"
    return PublishedSession(
        session=session,
        transcript=transcript,
        cues=make_cues(transcript),
        files=make_files(session.language, revision),
        revision=revision,
        published_at=dt.datetime(2026, 11, 21, 15, 0, tzinfo=dt.UTC),
        provenance=Provenance(
            tool="tribune 0.1.0",
            models=(ModelUse(name="whisper-base", revision="ebe41f7", sha256="d0" * 32, precision="int8"),),
            settings=(("speech.beam_size", "5"),),
            engines=(("faster-whisper", "1.2.1"),),
        ),
        recording_name="week 3.mp4",
        chapters=make_chapters(transcript),
        highlights=(_quote(transcript.turns[-1]),) if transcript.turns else (),
    )


def make_long(session: Session, words: int) -> PublishedSession:
    """Return a session of at least so many words, drawn so that they compress no better than speech does."""
    dice = random.Random(1)  # noqa: S311  # no secret, the same each time
    vocabulary = ["".join(dice.choices("etaoinshrdlu", k=dice.randint(2, 9))) for _ in range(3_000)]
    sentences = [" ".join(dice.choices(vocabulary, k=dice.randint(4, 24))) + "." for _ in range(words // 13)]
    turns = [(f"S{at % 4 + 1}", " ".join(sentences[at : at + 4])) for at in range(0, len(sentences), 4)]
    published = make_published(session=session)
    transcript = make_transcript(session, turns)

    def later(word: Word) -> Word:
        # Nobody speaks to a beat, and recognisers tell time by 20 ms.
        return dataclasses.replace(word, start_ms=word.start_ms + dice.randrange(0, WORD_MS // 3, 20))

    uneven = (dataclasses.replace(turn, words=tuple(map(later, turn.words))) for turn in transcript.turns)
    transcript = dataclasses.replace(transcript, turns=tuple(uneven))
    return dataclasses.replace(published, transcript=transcript, cues=make_cues(transcript))


def make_chapters(transcript: Transcript) -> tuple[Chapter, ...]:
    """Return two chapters, parted in the middle."""
    middle = transcript.duration_ms // 2
    titles = {"en": ("Plain language", "Readers & <writers>"), "fr": ("Langage clair", "Lectorat & <écriture>")}
    first, second = titles[transcript.language]
    return (
        Chapter(start_ms=0, end_ms=middle, title=first, language=transcript.language),
        Chapter(start_ms=middle, end_ms=transcript.duration_ms, title=second, language=transcript.language),
    )


def _quote(turn: Turn) -> Highlight:
    return Highlight(start_ms=turn.start_ms, end_ms=turn.end_ms, speaker=turn.speaker, words=turn.words)


def make_hostile() -> PublishedSession:
    """Return a session of which every text that a person writes is meant to break out of where it is put."""
    everything = EVERYTHING
    someone = Person(name=everything.get("en"), role=everything, organisation=everything)
    session = dataclasses.replace(
        SESSION["en"],
        id=HOSTILE_ID,
        title=everything,
        programme=everything,
        community=everything,
        topics=(everything,),
        keywords=(everything,),
        host=someone,
        guests=(someone,),
        description=everything,
        rights=everything,
        licence=Licence(name=everything),
        resources=(Resource(title=everything, address="https://example.org/'onload='x"),),
        consent=everything,
    )
    chapter = Chapter(start_ms=0, end_ms=9_000, title=everything.get("en"), language="en")
    published = make_published(session=session)
    transcript = make_transcript(session, (("S1", everything.get("en")), ("S2", "Fine.")))
    speakers = tuple(dataclasses.replace(speaker, name=everything.get("en")) for speaker in transcript.speakers)
    transcript = dataclasses.replace(transcript, speakers=speakers)
    return dataclasses.replace(
        published,
        transcript=transcript,
        cues=make_cues(transcript),
        files=tuple(dataclasses.replace(file, download_name=everything.get("en")) for file in published.files),
        recording_name=everything.get("en"),
        chapters=(chapter,),
        highlights=tuple(_quote(turn) for turn in transcript.turns),
    )


def shown_hostile() -> str:
    """Return what may be shown of a text of that session."""
    return visible(" ".join(HOSTILE))


def make_sessions() -> tuple[PublishedSession, ...]:
    """Return what the site on disk publishes: a session in each language, and one that is hostile throughout."""
    return with_notices(make_published("en")), make_published("fr"), make_hostile()


def make_media(video: Path, poster: Path) -> None:
    """Write a minute of moving picture with sound, and a picture of it."""
    quiet = [str(find_programs().ffmpeg), "-nostdin", "-y", "-loglevel", "error"]
    colours = "c0=0x1f4a63:c1=0x9dbccb:x0=0:y0=0:x1=320:y1=180:seed=1"
    picture = ["-f", "lavfi", "-i", f"gradients=s=320x180:r=10:d=60:speed=0.02:{colours}"]
    sound = ["-f", "lavfi", "-i", "sine=300:d=60"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "20", "-c:a", "aac"]
    subprocess.run([*quiet, *picture, *sound, *codecs, "-movflags", "+faststart", str(video)], check=True)
    subprocess.run([*quiet, "-i", str(video), "-frames:v", "1", str(poster)], check=True)


def make_entry(published: PublishedSession, **changes: object) -> CatalogueEntry:
    """Return the line of the catalogue for a session."""
    session = published.session
    entry = CatalogueEntry(
        session_id=session.id,
        title=session.title,
        languages=session.languages,
        duration_ms=published.duration_ms,
        revision=published.revision,
        pages=(("en", f"sessions/{session.id}/en.html"), ("fr", f"sessions/{session.id}/fr.html")),
        date=session.date,
        programme=session.programme,
        week=session.week,
        community=session.community,
        topics=session.topics,
        host=session.host.name if session.host else None,
        guests=tuple(guest.name for guest in session.guests),
        poster=f"sessions/{session.id}/{published.revision}/poster.jpg",
        description=session.description,
        published_at=published.published_at,
        files=tuple(file for file in published.files if file.role in {"video", "audio", "captions", "chapters"}),
    )
    return dataclasses.replace(entry, **changes)  # type: ignore[arg-type]


def renumbered(entry: CatalogueEntry, session_id: str) -> CatalogueEntry:
    """Return the line of another session that is alike in all but its number."""
    pages = tuple((language, f"sessions/{session_id}/{language}.html") for language, _ in entry.pages)
    return dataclasses.replace(entry, session_id=session_id, pages=pages)


def with_notices(published: PublishedSession) -> PublishedSession:
    """Return the session with something to say of it as a whole and of a moment in it."""
    doubt = Notice(code="gone.since", span=Span(start_ms=4_000, end_ms=6_000))
    return dataclasses.replace(published, notices=(Notice(code="from.elsewhere"), doubt))


def write_vtt(cues: Sequence[Cue], path: Path) -> None:
    """Write captions for the browser."""

    def stamp(ms: int) -> str:
        whole, rest = divmod(ms, 1000)
        return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{rest:03}"

    texts = [html.escape(" ".join(word.text for word in cue.words), quote=False) for cue in cues]
    blocks = [
        f"{cue.id}\n{stamp(cue.start_ms)} --> {stamp(cue.end_ms)}\n{text}\n"
        for cue, text in zip(cues, texts, strict=True)
    ]
    path.write_text("\n".join(["WEBVTT\n", *blocks]), encoding="utf-8")


def write_site(
    root: Path, sessions: Sequence[PublishedSession], video: Path, poster: Path, options: SiteOptions = OPTIONS
) -> None:
    """Lay a whole site out on disk as publishing lays it out in a bucket.

    Args:
        root: Empty folder.
        sessions: What is published.
        video: Played by every session.
        poster: Shown by every session.
        options: Of the site.
    """
    site = LearnerSite(options)
    for asset in site.assets():
        _write(root / asset.key, asset.body)
    _write_lists(root, site, sessions)
    for language, page in site.withdrawn_pages(dt.date(2026, 11, 22)).items():
        _write(root / "sessions" / WITHDRAWN / f"{language}.html", page.encode())
    for published in sessions:
        folder = root / "sessions" / published.session.id
        for language, page in site.session_pages(published).items():
            _write(folder / f"{language}.html", page.encode())
        for file in published.files:
            _write(folder / file.href, b"")
        chapters = folder / published.revision / f"chapters.{published.session.language}.vtt"
        chapters.write_text("WEBVTT\n\n00:00.000 --> 00:02.000\nPlain language\n", encoding="utf-8")
        for made in site.session_files(published):
            _write_made(root, made)
        write_vtt(published.cues, folder / published.revision / f"captions.{published.session.language}.vtt")
        (folder / published.revision / "video.mp4").write_bytes(video.read_bytes())
        (folder / published.revision / "poster.jpg").write_bytes(poster.read_bytes())


def make_lists(entries: Sequence[CatalogueEntry]) -> list[tuple[Shelf, list[CatalogueEntry]]]:
    """Return every list that these sessions stand on, by month and by subject, with its sessions."""
    found: dict[str, tuple[Shelf, list[CatalogueEntry]]] = {}
    for entry in entries:
        month = None if entry.date is None else entry.date.replace(day=1)
        shelves = [Shelf(key="undated" if month is None else f"{month:%Y-%m}", count=0, month=month)]
        for subject in subjects_of(entry):
            own = {"programme": subject.name} if subject.kind == "programme" else {"subject": subject}
            shelves.append(Shelf(key=list_key(subject.kind, subject.name), count=0, **own))
        for shelf in shelves:
            found.setdefault(shelf.key, (shelf, []))[1].append(entry)
    return [(dataclasses.replace(shelf, count=len(members)), members) for shelf, members in found.values()]


def make_list_pages(site: LearnerSite, entries: Sequence[CatalogueEntry]) -> dict[str, str]:
    """Return every page of the lists of these sessions, by key; the first one shows only the latest of them."""
    lists = make_lists(entries)
    shelves = [shelf for shelf, _ in lists]
    pages = dict(site.catalogue_pages(entries, shelves, tuple(INDEXES)))
    for shelf, members in lists:
        pages |= site.shelf_pages(shelf, members)
    for kind, language in itertools.product(INDEXES, LANGUAGES):
        of_kind = tuple(shelf for shelf in shelves if (shelf.about.kind if shelf.about else "date") == kind)
        index = Index(kind=kind, language=language, shelves=of_kind)
        pages[index.key] = site.index_page(index)
    return pages


def make_themes(entries: Sequence[CatalogueEntry]) -> tuple[CommonTheme, ...]:
    """Return what these sessions have in common: for the hostile one hostile words, else some plain ones."""
    first = entries[0]
    words = EVERYTHING.get("en") if first.session_id == HOSTILE_ID else "plain language"
    speaker = Speaker(key="S1", name=words if first.session_id == HOSTILE_ID else None)
    theme = Theme(
        start_ms=500,
        end_ms=4_000,
        phrase=words,
        language="en",
        stems=("plain", "languag"),
        said=3,
        speaker=speaker,
        quotation=f"We found that {words} saves everybody time.",
    )
    quotations = tuple((entry.session_id, theme) for entry in entries)
    return (CommonTheme(phrases=(("en", words),), sessions=max(2, len(entries)), quotations=quotations),)


def _write_lists(root: Path, site: LearnerSite, sessions: Sequence[PublishedSession]) -> None:
    entries = [make_entry(published) for published in sessions]
    made = [*site.site_files(entries, [shelf for shelf, _ in make_lists(entries)])]
    for shelf, members in make_lists(entries):
        if shelf.about is None or shelf.programme is not None:
            themes = make_themes(members) if shelf.programme is not None else ()
            made += site.shelf_files(shelf, members, themes)
    for key, page in {**make_list_pages(site, entries), **site.search_pages()}.items():
        _write(root / key, page.encode())
    for file in made:
        _write_made(root, file)


def moment(ms: int) -> str:
    """Return the fragment that names a moment."""
    return f"#t={format_seconds(ms)}"


def _write_made(root: Path, made: MachineFile) -> None:
    if made.body is not None:
        _write(root / made.key, made.body)


def _write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
