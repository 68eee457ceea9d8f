"""Learner pages: every word there once, every text as text, in the reader's language, light and self-contained."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import posixpath
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.formatting import NBSP, format_date, format_duration, format_seconds, format_size, join_names
from pipeline.render.passages import LONGEST_PARAGRAPH
from pipeline.site.catalogue import group_entries
from pipeline.site.model import PublishedSession, Shelf, SiteOptions
from pipeline.site.phrases import LONGEST_PHRASE, make_paragraphs
from pipeline.site.render import LearnerSite
from pipeline.types import LANGUAGES, Bilingual, Language, Notice, Person, Span, Transcript, Turn, Word
from pipeline.visible import visible, visible_word
from tests.pages import (
    ADDRESS,
    HOSTILE,
    OPTIONS,
    SESSION,
    in_passage,
    make_cues,
    make_entry,
    make_hostile,
    make_list_pages,
    make_lists,
    make_published,
    make_transcript,
    make_words,
    with_notices,
)

SITE = LearnerSite()
VOID = {"meta", "link", "source", "track", "img", "br", "input"}


class Page(HTMLParser):
    """What a page holds: its elements, and each text with the language that it is marked as."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str | None]] = []
        self.said: list[str] = []
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = (tag, dict(attrs))
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if not data.strip():
            return
        languages = [attrs["lang"] for _, attrs in self._open if "lang" in attrs]
        self.texts.append((data.strip(), languages[-1] if languages else None))
        if in_passage(self._open):
            self.said.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(text for text, _ in self.texts)

    def language_of(self, part: str) -> str | None:
        return next(language for text, language in self.texts if part in text)


def open_page(language: Language = "en", interface: Language = "en", **changes: object) -> Page:
    published = dataclasses.replace(make_published(language), **changes)  # type: ignore[arg-type]
    return Page(SITE.session_pages(published)[interface])


def embed_page(site: LearnerSite, published: PublishedSession, language: Language) -> str:
    made = {file.key: file.body for file in site.session_files(published)}
    body = made[f"{published.folder}embed.{language}.html"]
    assert body is not None
    return body.decode()


WORD_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=12
) | st.sampled_from(("<script>", "</span>", "&amp;", "-->", '"', "\u202e", "{{x}}", "fin.", "oui,", "…", "]]>"))


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    made: list[Turn] = []
    at = 0
    for speaker in draw(st.lists(st.sampled_from(("S1", "S2", None)), max_size=5)):
        words: list[Word] = []
        for text in draw(st.lists(WORD_TEXT, min_size=1, max_size=40)):
            at += draw(st.sampled_from((0, 10, 900)))
            language = draw(st.sampled_from(("en", "fr")))
            words.append(
                Word(start_ms=at, end_ms=at + 200, text=text.strip() or "x", probability=0.5, language=language)
            )
            at += 200
        made.append(Turn(speaker=speaker, words=tuple(words)))
    shaped = make_transcript(SESSION["en"], (("S1", "x"), ("S2", "x")))
    return dataclasses.replace(shaped, turns=tuple(made))


@settings(max_examples=40, deadline=None)
@given(transcript=transcripts(), interface=st.sampled_from(LANGUAGES))
def test_every_word_is_on_the_page_once_and_in_order(transcript: Transcript, interface: Language) -> None:
    page = open_page(interface=interface, transcript=transcript)
    assert " ".join(page.said).split() == " ".join(visible_word(word) for word in transcript.words).split()


@settings(max_examples=40, deadline=None)
@given(transcript=transcripts())
def test_a_page_says_of_each_passage_when_it_begins_to_the_millisecond(transcript: Transcript) -> None:
    elements = open_page(transcript=transcript).elements
    told = []
    for at, (tag, paragraph) in enumerate(elements):
        if (tag, paragraph.get("class")) == ("p", "said"):
            time = next(attrs for _, attrs in elements[at:] if attrs.get("class") == "time")
            first_ms = round(float((time["href"] or "").removeprefix("#t=")) * 1000)
            steps = map(int, (paragraph.get("data-steps") or "").split())
            told.append(list(itertools.accumulate(steps, initial=first_ms)))
    paragraphs = [paragraph for turn in transcript.turns for paragraph in make_paragraphs(turn)]
    assert told == [[phrase.start_ms for phrase in paragraph] for paragraph in paragraphs]


@given(transcript=transcripts())
def test_phrases_are_short_and_in_one_language(transcript: Transcript) -> None:
    for turn in transcript.turns:
        paragraphs = make_paragraphs(turn)
        assert tuple(word for paragraph in paragraphs for phrase in paragraph for word in phrase.words) == turn.words
        for phrase in itertools.chain.from_iterable(paragraphs):
            assert len(phrase.words) <= LONGEST_PHRASE
            assert {word.language for word in phrase.words} == {phrase.language}
            assert phrase.start_ms == phrase.words[0].start_ms


def test_speech_without_full_stops_still_makes_paragraphs() -> None:
    turn = Turn(speaker=None, words=make_words(" ".join(["mot"] * 1_000), "fr"))
    lengths = [sum(len(phrase.words) for phrase in paragraph) for paragraph in make_paragraphs(turn)]
    assert max(lengths) <= LONGEST_PARAGRAPH


def test_words_in_another_language_are_marked_as_such() -> None:
    words = (*make_words("Welcome everyone.", "en"), *make_words("Bonjour à tous.", "fr", 2_000))
    turns = (Turn(speaker=None, words=words), Turn(speaker=None, words=make_words("Au revoir.", "fr", 9_000)))
    transcript = Transcript(session_id="0" * 16, language="en", duration_ms=20_000, turns=turns)
    for interface in LANGUAGES:
        page = open_page(interface=interface, transcript=transcript)
        assert page.language_of("Welcome everyone.") == "en"
        assert page.language_of("Bonjour à tous.") == "fr"
        assert page.language_of("Au revoir.") == "fr"


@pytest.mark.parametrize("interface", LANGUAGES)
def test_a_page_is_in_one_language_and_leads_to_the_other(interface: Language) -> None:
    page = open_page("fr", interface)
    other = "fr" if interface == "en" else "en"
    assert page.all("html")[0]["lang"] == interface
    switch = next(link for link in page.all("a") if link.get("hreflang") == other and link.get("rel") == "alternate")
    assert (switch["href"], switch["lang"]) == (f"{other}.html", other)
    alternates = {link["hreflang"]: link["href"] for link in page.all("link") if link.get("rel") == "alternate"}
    assert alternates == {"en": "en.html", "fr": "fr.html"}


def test_a_title_that_exists_in_one_language_is_marked_on_the_other_page() -> None:
    title = f"Rédiger d’abord en français{NBSP}: retour d’expérience"
    english = open_page("fr", "en")
    assert ("bdi", {"lang": "fr"}) in english.elements
    assert [language for text, language in english.texts if text == title] == ["fr"]


def test_speakers_without_a_name_are_named_in_the_interface_language() -> None:
    assert open_page(interface="en").language_of("Speaker 3") == "en"
    assert open_page(interface="fr").language_of("Intervenant 3") == "fr"


def test_nobody_is_named_where_voices_could_not_be_told_apart() -> None:
    transcript = make_transcript(SESSION["en"], ((None, "Good morning."),))
    page = open_page(transcript=transcript)
    assert not [attrs for attrs in page.all("p") if attrs.get("class") == "who"]


def test_a_voice_that_nobody_could_attribute_says_so_among_others() -> None:
    transcript = make_transcript(SESSION["en"], (("S1", "Good morning."), (None, "Hello.")))
    assert "Personne non identifiée" in open_page(interface="fr", transcript=transcript).text


def test_no_text_of_a_stranger_becomes_markup() -> None:
    everything = Bilingual.same(" ".join(HOSTILE))
    someone = Person(name=everything.get("en"), role=everything, organisation=everything)
    session = dataclasses.replace(
        SESSION["en"],
        title=everything,
        programme=everything,
        community=everything,
        topics=(everything,),
        keywords=(everything,),
        host=someone,
        guests=(someone,),
        description=everything,
        rights=everything,
        consent=everything,
    )
    transcript = make_transcript(session, (("S1", everything.get("en")), ("S2", "Fine.")))
    speakers = tuple(dataclasses.replace(speaker, name=everything.get("en")) for speaker in transcript.speakers)
    transcript = dataclasses.replace(transcript, speakers=speakers)
    files = tuple(dataclasses.replace(file, download_name=everything.get("en")) for file in make_published().files)
    hostile = open_page(session=session, transcript=transcript, files=files, recording_name=everything.get("en"))
    entry = make_entry(make_published(session=session))
    catalogue = Page(SITE.catalogue_pages([entry], [])["en/index.html"])
    shelf = Shelf(key="programme-1", count=1, programme=everything)
    leading = Page(SITE.catalogue_pages([], [shelf])["en/index.html"])
    assert visible(everything.get("en")) in leading.text
    lists = [Page(html) for key, html in make_list_pages(SITE, [entry]).items() if "/lists/" in key]
    named = [page for page in lists if HOSTILE[0] in page.text]
    # The month, the programme, the community, the topic, the person, the language; their indexes, three of which name
    # nothing that a stranger wrote.
    assert len(named) == 2 * (6 + 4)
    for page in (hostile, catalogue, leading, *named):
        assert all(str(script["src"]).startswith("../../assets/") for script in page.all("script"))
        assert not {"svg", "b"} & {tag for tag, _ in page.elements}
        assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]
        for text in HOSTILE:
            assert visible(text) in page.text
        assert "\u202e" not in page.text


MONTH = Shelf(key="2026-11", count=1, month=dt.date(2026, 11, 1))


@pytest.mark.parametrize("interface", LANGUAGES)
def test_pages_need_nothing_but_their_own_host_and_no_inline_code(interface: Language) -> None:
    for html in (
        SITE.session_pages(make_published())[interface],
        embed_page(SITE, make_published(), interface),
        *SITE.catalogue_pages([make_entry(make_published())], [MONTH]).values(),
        *SITE.shelf_pages(MONTH, [make_entry(make_published())]).values(),
        *SITE.withdrawn_pages(dt.date(2026, 11, 22)).values(),
    ):
        page = Page(html)
        policy = next(meta for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
        assert str(policy["content"]).startswith("default-src 'self';")
        assert not page.all("style")
        assert not [attrs for _, attrs in page.elements if "style" in attrs]
        assert all("src" in script for script in page.all("script"))
        assert "//" not in html.replace("<!DOCTYPE", "")


@pytest.mark.parametrize("options", [SiteOptions(), OPTIONS])
def test_every_link_leads_to_something_that_is_published(options: SiteOptions) -> None:
    published, site = make_published(), LearnerSite(options)
    entry = make_entry(published)
    made = {file.key: file.body.decode() for file in site.session_files(published) if file.body is not None}
    pages = {f"{published.folder}{language}.html": html for language, html in site.session_pages(published).items()}
    lists = [shelf for shelf, _ in make_lists([entry])]
    pages |= {key: html for key, html in made.items() if key.endswith(".html")}
    pages |= make_list_pages(site, [entry])
    pages |= site.search_pages()
    pages |= {
        f"sessions/{'0' * 16}/{key}.html": page for key, page in site.withdrawn_pages(dt.date(2026, 1, 1)).items()
    }
    known = {*pages, *made, *(asset.key for asset in site.assets())}
    known |= {file.key for file in site.site_files([entry], lists) if file.body is not None}
    told = [shelf for shelf in lists if shelf.about is None or shelf.programme]
    known |= {file.key for shelf in told for file in site.shelf_files(shelf, [entry]) if file.body is not None}
    known |= {f"{published.folder}{file.href}" for file in published.files}
    for key, html in pages.items():
        page = Page(html)
        ids = {attrs["id"] for _, attrs in page.elements if "id" in attrs}
        for _, attrs in page.elements:
            for name in {"href", "src", "poster"} & attrs.keys():
                target = str(attrs[name])
                if target.startswith("#"):
                    assert target[1:] in ids
                elif target.startswith(ADDRESS):
                    assert target.removeprefix(f"{ADDRESS}/") in known
                else:
                    assert posixpath.normpath(posixpath.join(posixpath.dirname(key), target)) in known


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_session_leads_to_every_list_that_it_stands_on(language: Language) -> None:
    published = make_published()
    links = {link["href"] for link in Page(SITE.session_pages(published)[language]).all("a")}
    assert {f"../../{shelf.page(language)}" for shelf, _ in make_lists([make_entry(published)])} <= links


def test_a_known_address_adds_links_for_programs_but_nothing_that_is_loaded_or_run() -> None:
    published, site = make_hostile(), LearnerSite(OPTIONS)
    plain, page = (Page(each.session_pages(published)["fr"]) for each in (SITE, site))
    for tag in ("img", "iframe", "style", "video", "source", "track"):
        assert page.all(tag) == plain.all(tag)
    data, *scripts = page.all("script")
    assert data == {"type": "application/ld+json"}
    assert scripts == plain.all("script")
    assert not {"svg", "b"} & {tag for tag, _ in page.elements}


def test_the_embedded_player_has_the_captions_and_a_way_out_but_no_header() -> None:
    page = Page(embed_page(SITE, make_published("fr"), "en"))
    assert not page.all("header")
    assert not page.all("footer")
    assert page.all("video") == open_page("fr", "en").all("video")
    assert page.all("track") == open_page("fr", "en").all("track")
    assert [(link["href"], link["target"]) for link in page.all("a") if "target" in link] == [("en.html", "_blank")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_lists_offer_feeds_and_courses_in_their_own_language(language: Language) -> None:
    site, entry = LearnerSite(OPTIONS), make_entry(make_published("en"))
    programme = Shelf(key="programme-1", count=1, programme=entry.programme)

    def offered(html: str) -> set[str]:
        links = {str(link["href"]).replace("../", "") for link in Page(html).all("a")}
        return {link for link in links if link.startswith("feeds/")}

    few, many = (site.catalogue_pages([entry], shelves)[f"{language}/index.html"] for shelves in ([], [programme]))
    of_all = {f"feeds/{language}/news.xml", f"feeds/{language}/podcast.xml"}
    own = offered(site.shelf_pages(programme, [entry])[programme.page(language)])
    assert {link.split("/")[1] for link in own} == {language}
    assert {link.rpartition("/")[2] for link in own} >= {"news.xml", "course.imscc"}
    assert not own & of_all
    assert (offered(few), offered(many)) == (of_all | own, of_all)


def test_without_an_address_nothing_is_made_of_whole_addresses() -> None:
    published = make_published()
    entry = make_entry(published)
    lists = [MONTH, Shelf(key="programme-1", count=1, programme=entry.programme)]
    made = [*SITE.site_files([entry], lists), *(file for shelf in lists for file in SITE.shelf_files(shelf, [entry]))]
    assert {file.body for file in made if not file.key.endswith("-sessions.json")} == {None}
    assert not [file.key for file in made if file.body is not None and b"://" in file.body]
    own = {file.key.rpartition("/")[2] for file in SITE.session_files(published) if file.body is not None}
    assert own == {"dublin-core.xml", "chapters.json", "embed.en.html", "embed.fr.html"}


def test_what_a_site_no_longer_tells_is_named_to_be_removed() -> None:
    whole, bare = make_published(), dataclasses.replace(make_published(), chapters=(), files=())
    site = LearnerSite(OPTIONS)
    keys = [[file.key for file in each] for each in (site.session_files(whole), site.session_files(bare))]
    assert keys[0] == keys[1]
    gone = {file.key.rpartition("/")[2] for file in site.session_files(bare) if file.body is None}
    assert gone == {"chapters.json", "embed.en.html", "embed.fr.html", "oembed.en.json", "oembed.fr.json"}


@pytest.mark.parametrize(
    "address", ["", "talks.example.org", "javascript:alert(1)", "https://a b", 'https://a"b', "https://a/"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        SiteOptions(address=address)


@pytest.mark.parametrize("language", LANGUAGES)
def test_captions_are_on_from_the_start(language: Language) -> None:
    for interface in LANGUAGES:
        tracks = open_page(language, interface).all("track")
        assert [track["kind"] for track in tracks] == ["captions", "chapters"]
        assert (tracks[0]["kind"], tracks[0]["srclang"], "default" in tracks[0]) == ("captions", language, True)
        assert tracks[0]["label"] == {"en": "English captions", "fr": "Sous-titres français"}[language]


def test_the_transcript_link_follows_the_player_directly() -> None:
    elements = open_page().elements
    player = next(index for index, (tag, _) in enumerate(elements) if tag == "track")
    link = next(attrs for tag, attrs in elements[player:] if tag == "a" and attrs["href"] != "r1-3fa9c1d2/video.mp4")
    assert link["href"] == "#transcript"


@pytest.mark.parametrize("interface", LANGUAGES)
def test_the_button_says_what_it_plays_and_waits_for_the_script_that_needs_it(interface: Language) -> None:
    published = make_published("fr")
    for page in (open_page("fr", interface), Page(embed_page(SITE, published, interface))):
        button = next(attrs for attrs in page.all("button") if attrs.get("id") == "play")
        assert "hidden" in button
        assert ({"en": "Play", "fr": "Lire"}[interface], interface) in page.texts
        named = {attrs["id"]: tag for tag, attrs in page.elements if attrs.get("id")}
        assert [named[each] for each in (button["aria-labelledby"] or "").split()] == ["span", "h1"]


def test_downloads_tell_type_language_and_size_as_a_reader_writes_them() -> None:
    english, french = open_page(interface="en"), open_page(interface="fr")
    assert f"Audio (M4A) 12.3{NBSP}MB" in english.text
    assert f"Audio (M4A) 12,3{NBSP}Mo" in french.text
    assert f"Transcription (texte brut) anglais · 29,1{NBSP}ko" in french.text
    link = next(link for link in english.all("a") if link["href"] == "r1-3fa9c1d2/captions.en.srt")
    assert (link["hreflang"], link["download"]) == ("en", "plain-language-captions.en.srt")


def test_a_file_of_an_unknown_role_can_still_be_downloaded() -> None:
    extra = dataclasses.replace(make_published().files[0], name="notes.docx", role="notes")
    assert "Autre fichier (Word)" in open_page(interface="fr", files=(extra,)).text


@pytest.mark.parametrize("interface", LANGUAGES)
def test_what_was_lowered_or_doubted_is_said_even_by_an_unknown_code(interface: Language) -> None:
    page = Page(SITE.session_pages(with_notices(make_published()))[interface])
    assert "from.elsewhere" in page.text
    assert "gone.since" in page.text
    assert next(link["href"] for link in page.all("a") if link.get("class") == "time") == "#t=4"


def test_a_learner_is_not_told_what_an_operator_should_do() -> None:
    failed = Notice(code="speakers.failed")
    moved = Notice(code="speech.moved_to_cpu")
    page = open_page(interface="fr", notices=(failed, moved))
    assert "la transcription n’indique donc pas qui parle" in page.text
    assert "responsable de Tribune" not in page.text
    assert page.text.index("Mode de production") < page.text.index("processeur")


def test_the_same_notice_from_two_stages_is_told_once() -> None:
    notice = Notice(code="from.elsewhere")
    doubts = tuple(Notice(code="here.too", span=Span(start_ms=ms, end_ms=9_000)) for ms in (8_000, 4_000, 8_000))
    transcript = dataclasses.replace(make_published().transcript, notices=(notice, *doubts))
    text = open_page(transcript=transcript, notices=(notice,)).text
    assert text.count("from.elsewhere") == text.count("here.too") == 1


def test_a_session_of_which_little_is_known_has_its_page() -> None:
    bare = dataclasses.replace(
        SESSION["en"],
        title=Bilingual(en="Recording"),
        date=None,
        programme=None,
        week=None,
        topics=(),
        host=None,
        guests=(),
        description=None,
        rights=None,
        consent=None,
    )
    silent = Transcript(session_id=bare.id, language="en", duration_ms=0, turns=())
    page = open_page(session=bare, transcript=silent, cues=make_cues(silent), files=())
    assert "No words were recognised in this recording." in page.text
    assert not page.all("video")


def test_the_same_values_give_the_same_bytes() -> None:
    published, entry = make_published(), make_entry(make_published())
    again = LearnerSite()
    assert again.session_pages(published) == SITE.session_pages(published)
    assert again.catalogue_pages([entry], []) == SITE.catalogue_pages([entry], [])
    assert again.assets() == SITE.assets()


def test_assets_lie_in_one_folder_that_pages_name() -> None:
    folders = {posixpath.dirname(asset.key) for asset in SITE.assets()}
    assert len(folders) == 1
    assert f"../../{folders.pop()}/play.js" in SITE.session_pages(make_published())["en"]
    names = {posixpath.basename(asset.key) for asset in SITE.assets()}
    assert {"icon.svg", "site.css", "player.fr.js", "transcript.js", "search.js", "video-js.licence.txt"} <= names
    assert {name.rpartition(".")[2] for name in names} == {"css", "js", "svg", "txt"}


def test_an_empty_catalogue_says_so_in_both_languages() -> None:
    pages = SITE.catalogue_pages([], [])
    assert "No session has been published yet." in Page(pages["en/index.html"]).text
    assert "Aucune séance n’a encore été publiée." in Page(pages["fr/index.html"]).text


def test_the_notice_of_a_withdrawn_session_says_so_in_both_languages() -> None:
    pages = SITE.withdrawn_pages(dt.date(2026, 3, 1))
    for language in LANGUAGES:
        page = Page(pages[language])
        assert page.all("html")[0]["lang"] == language
        assert page.language_of("This session is no longer available") == "en"
        assert page.language_of("Cette séance n’est plus offerte") == "fr"
        assert f"March{NBSP}1, 2026" in page.text
        assert f"1er{NBSP}mars 2026" in page.text


def test_a_list_names_its_month_in_the_readers_language_and_says_when_it_is_empty() -> None:
    pages = SITE.shelf_pages(MONTH, [])
    assert "Novembre 2026" in Page(pages["fr/lists/2026-11.html"]).text
    assert "Cette liste ne contient plus de séances." in Page(pages["fr/lists/2026-11.html"]).text
    undated = Shelf(key="undated", count=1)
    home = Page(SITE.catalogue_pages([], [MONTH, undated])["en/index.html"])
    assert [link["href"] for link in home.all("a") if "lists/" in str(link["href"])] == [
        "../en/lists/2026-11.html",
        "../en/lists/undated.html",
    ]


def test_the_root_page_lets_the_reader_choose() -> None:
    page = Page(SITE.catalogue_pages([], [])["index.html"])
    assert [(link["href"], link["hreflang"]) for link in page.all("a")] == [
        ("en/index.html", "en"),
        ("fr/index.html", "fr"),
    ]
    assert page.language_of("Continuer en français") == "fr"


def test_a_site_with_two_names_shows_both_at_the_root_and_its_own_on_each_page() -> None:
    site = LearnerSite(SiteOptions(name=Bilingual(en="Learning hour", fr="L’heure du savoir")))
    pages = site.catalogue_pages([], [])
    assert "Learning hour / L’heure du savoir" in Page(pages["index.html"]).text
    assert "Learning hour" not in pages["fr/index.html"]


def test_a_site_with_looks_that_are_none_is_refused() -> None:
    with pytest.raises(ValueError, match="theme"):
        SiteOptions(theme="pink")  # type: ignore[arg-type]  # as a file of settings may have it


def test_a_page_says_where_it_is_and_when_it_last_changed() -> None:
    published, entry = make_published(), make_entry(make_published())
    month = SITE.shelf_pages(MONTH, [entry])[MONTH.page("fr")]
    for html in (SITE.session_pages(published)["fr"], month, SITE.withdrawn_pages(dt.date(2026, 11, 21))["fr"]):
        page = Page(html)
        assert "Vous êtes ici" in {nav.get("aria-label") for nav in page.all("nav")}
        assert f"Date de modification{NBSP}: 2026-11-21" in page.text
        assert not [link for link in page.all("a") if "aria-current" in link]
    home = Page(SITE.catalogue_pages([entry], [])["fr/index.html"])
    assert [link["href"] for link in home.all("a") if link.get("aria-current") == "page"] == ["../fr/index.html"]
    assert "Date de modification" not in Page(SITE.catalogue_pages([], [])["fr/index.html"]).text


def test_a_site_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="name"):
        SiteOptions(name=Bilingual(en=" "))


def test_the_catalogue_goes_by_programme_week_and_date() -> None:
    one, two = Bilingual(en="One"), Bilingual(en="Two")
    places = (
        (two, 1, 20),
        (two, 2, 5),
        (two, None, 9),
        (two, None, 10),
        (one, 1, 3),
        (one, 1, 4),
        (None, None, 28),
    )
    entries = [
        make_entry(make_published(), session_id=f"{n:016x}", programme=programme, week=week, date=dt.date(2026, 1, day))
        for n, (programme, week, day) in enumerate(places)
    ]
    expected = [(two, [0, 1, 3, 2]), (one, [4, 5]), (None, [6])]
    for order in (entries, entries[::-1]):
        found = [
            (group.programme, [int(entry.session_id, 16) for entry in group.entries]) for group in group_entries(order)
        ]
        assert found == expected


def test_a_session_without_a_date_or_a_poster_is_in_the_catalogue() -> None:
    entry = make_entry(make_published("fr"), date=None, poster=None, programme=None, week=None, guests=())
    page = Page(SITE.catalogue_pages([entry], [])["en/index.html"])
    assert "Other sessions" in page.text
    assert not page.all("img")
    assert page.language_of("Rédiger d’abord") == "fr"


@pytest.mark.parametrize(
    ("size", "english", "french"),
    [
        (0, "0 B", "0 o"),
        (999, "999 B", "999 o"),
        (1_000, "1 KB", "1 ko"),
        (12_345_678, "12.3 MB", "12,3 Mo"),
        (99_960_000, "100 MB", "100 Mo"),
        (999_999, "1 MB", "1 Mo"),
        (4_700_000_000, "4.7 GB", "4,7 Go"),
        (3_000_000_000_000_000, "3000 TB", "3000 To"),
    ],
)
def test_sizes_read_well(size: int, english: str, french: str) -> None:
    assert format_size(size, "en").replace(NBSP, " ") == english
    assert format_size(size, "fr").replace(NBSP, " ") == french


def test_dates_durations_and_lists_read_well() -> None:
    assert format_date(dt.date(2026, 8, 21), "fr") == f"21{NBSP}août 2026"
    assert format_date(dt.date(2026, 8, 21), "en") == f"August{NBSP}21, 2026"
    assert format_duration(3_600_000, "en") == f"1{NBSP}h"
    assert format_duration(3_599_900, "en") == f"1{NBSP}h"
    assert format_duration(59_400, "fr") == f"59{NBSP}s"
    assert (join_names([], "en"), join_names(["A"], "en"), join_names(["A", "B"], "fr")) == ("", "A", "A et B")


@pytest.mark.parametrize("interface", LANGUAGES)
def test_chapters_and_highlights_lead_to_their_moments(interface: Language) -> None:
    published = make_published("en")
    page = open_page(interface=interface)
    links = [link["href"] for link in page.all("a")]
    for chapter in published.chapters:
        assert f"#t={format_seconds(chapter.start_ms)}" in links
        assert page.language_of(chapter.title) == (interface if interface == "en" else "en")
    [quoted] = published.highlights
    assert links.count(f"#t={format_seconds(quoted.start_ms)}") == 2
    assert {"en": "Chapters", "fr": "Chapitres"}[interface] in page.text
    [track] = [track for track in page.all("track") if track["kind"] == "chapters"]
    assert (track["src"], "default" in track) == ("r1-3fa9c1d2/chapters.en.vtt", False)


def test_a_session_without_chapters_and_highlights_has_no_heading_for_them() -> None:
    page = open_page(chapters=(), highlights=())
    assert "Highlights" not in page.text
    assert "chapters" not in {nav.get("class") for nav in page.all("nav")}
