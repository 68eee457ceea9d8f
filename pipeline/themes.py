"""Themes: what a session comes back to, and what the sessions of a programme have in common.

In comes an edited transcript, out go the phrases that name what it is about, each with the moment at which it is best
said; in go the themes of several sessions, out come those that recur, with whom to hear on them. Nothing is translated
and nothing summarised: a theme is a phrase that somebody said, a quotation a passage of the transcript. It stands alone
because the first half is done once a session and kept with what is published of it, and the second again whenever a
session of the programme comes, changes or goes.

Phrases are found as terms are (Frantzi and Ananiadou, *The C-value/NC-value domain independent method for multi-word
term extraction*, ECDL 1998): runs of content words that are used as a noun is, behind an article or the like, each
counted as often as it is said by itself rather than within a longer one.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pipeline.content_words import STOP_WORDS, Sentence, bare, phrase_text, sentences, stem_of
from pipeline.highlights import stands_alone
from pipeline.sentences import listed
from pipeline.types import LANGUAGES, Bilingual, Session, Span, Speaker, Transcript, Word

MOST_KEPT: Final = 30
"""Themes that are kept of a session, at most."""
MOST_THEMES: Final = 12
MOST_QUOTATIONS: Final = 4
LEAST_SESSIONS: Final = 2

_MOST_CONTENT: Final = 3
_MOST_WORDS: Final = 6
_GOOD_QUOTATION: Final = 20
_LONGEST_QUOTATION: Final = 45
"""Words."""
_SAID_ONCE: Final = 0.5
"""What a phrase is worth that was said once, against one that was come back to."""
_LEAST_NAMED: Final = 0.34
"""Share of the times that a single word is said at which it must be used as a noun is."""
_MARKS: Final = ".,;:!?…»”\"')]"
_OPENING: Final = "«“\"'(["

# Behind these stands a noun; French "de", "à", "pour" and "sans" may as well stand before a verb.
_BEFORE_NAMES: Final = {
    "en": listed(
        "the a an our your their his her my its these those each every any some no of in on for about with without from"
        " into between through across behind against under per both all many more most much few fewer less several"
    ),
    "fr": listed(
        "le la les l' un une des du au aux ce cet cette ces mon ma mes ton ta tes son sa ses notre nos votre vos leur"
        " leurs quelques chaque plusieurs aucun aucune en par sur dans avec chez entre vers contre tout toute tous"
        " toutes certains certaines nouveau nouvelle nouveaux nouvelles premier première grand grande grands grandes"
        " petit petite petits petites autre autres bon bonne bons bonnes même mêmes"
    ),
}
# Behind these stands a verb, or a phrase that says of somebody what they do.
_BEFORE_VERBS: Final = {
    "en": listed(
        "i you we they he she it who to will would can could shall should may might must not don't doesn't didn't can't"
        " won't never also just is are was were be been being has have had do does did"
    ),
    "fr": listed(
        "je j' tu il elle on nous vous ils elles qui ne n' pas plus jamais à de d' pour sans y en se s' est sont était"
        " étaient a ont avait avaient avons avez ai être avoir"
    ),
}
_LINKS: Final = {"en": listed("of for"), "fr": listed("de d' du des la l' le les à au aux en")}

# "au sein de", "dans le cadre de", "in terms of": between a preposition, maybe with an article, and what goes on, these
# name nothing.
_OF_PREPOSITIONS: Final = {
    "en": listed(
        "terms front light case charge favour favor spite view support behalf top means purposes regard respect"
    ),
    "fr": listed(
        "sein cours cadre moyen biais profit détriment fonction matière termes vertu raison dépit faveur aide égard"
        " instar insu encontre titre nom"
    ),
}
_PREPOSITIONS: Final = {"en": listed("in on by for with"), "fr": listed("au en à dans par sur sous")}
_ARTICLES: Final = {"en": listed("the"), "fr": listed("le la les")}
_GOING_ON: Final = {"en": listed("of to"), "fr": listed("de du des")}

# No name has these in it, whatever stands before them.
_BREAKS: Final = {
    "en": listed("than via per versus"),
    "fr": listed("via versus afin jusque lui-même elle-même eux-mêmes elles-mêmes soi-même"),
}

# What every session has, and what names no theme when it stands alone.
_TRIVIAL: Final = {
    "en": listed(
        """
        session sessions programme program episode week month months minute minutes hour hours second seconds morning
        afternoon evening tonight yesterday tomorrow monday tuesday wednesday thursday friday saturday sunday january
        february march april june july august september october november december question questions answer answers
        slide slides presentation screen chat microphone everyone person folks guys man woman name names ladies
        gentlemen end beginning middle side half rest bit couple lot set bunch pair case cases fact facts reason reasons
        kinds sorts types level example examples instance moment moments minute fun luck hand hands head face story
        stories opportunity chance difference differences piece pieces stuff matter matters attention issue issues
        change changes use number numbers amount percent hundred thousand million billion six seven eight nine ten
        dozen twenty thirty forty fifty zero order colleague colleagues speaker speakers guest guests host topic topics
        discussion conversation introduction conclusion video recording interest mind world life home country past
        future present top bottom front line lines step steps problem problems result results today everybody someone
        speak speaking hear listen listening read reading write writing learn learning
        """
    ),
    "fr": listed(
        """
        séance séances programme épisode semaine mois minute minutes heure heures seconde secondes matin midi
        après-midi soir soirée nuit lundi mardi mercredi jeudi vendredi samedi dimanche janvier février mars avril mai
        juin juillet août septembre octobre novembre décembre question questions réponse réponses diapositive
        diapositives présentation écran clavardage micro personne personnes homme femme nom noms mesdames messieurs
        fin début milieu côté côtés moitié reste couple ensemble cas faits raison raisons sortes types genre genres
        niveaux exemples instant moments chance main mains tête visage histoire histoires occasion différence
        différences morceau morceaux matière attention enjeu enjeux changement changements nombre nombres chiffre
        chiffres pourcentage cents mille million millions milliard six sept huit neuf dizaine vingt trente quarante
        cinquante zéro ordre collègue collègues conférencier conférencière invité invitée invités thème thèmes
        discussion conversation introduction conclusion vidéo enregistrement intérêt esprit vie maison pays passé
        avenir présent haut bas ligne lignes étape étapes problèmes résultat résultats manières façons parole tour
        mot mots propos sein endroit endroits année années point points aspect aspects élément éléments
        """
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme(Span):
    """A phrase that a session comes back to; the span is that of the passage quoted.

    Attributes:
        phrase: As it is said most often.
        language: In which it is said.
        stems: Of its content words, in order: what makes it the same theme in another session.
        said: How often, within longer phrases too.
        speaker: Who is quoted, where that is known.
        quotation: The words of the span as they may be read, with an ellipsis where more was said in the sentence.
        names: What it is called in both languages, where the session's details say so.
    """

    phrase: str
    language: str
    stems: tuple[str, ...]
    said: int
    quotation: str
    speaker: Speaker | None = None
    names: Bilingual | None = None

    @property
    def concept(self) -> tuple[tuple[str, ...], ...]:
        """What is the same in both languages where it has a name in both, else in its own."""
        if self.names is None:
            return ((self.language, *self.stems),)
        return tuple((language, *_stems_of(self.names.get(language), language)) for language in LANGUAGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonTheme:
    """A theme of several sessions.

    Attributes:
        phrases: What it is called, by language: in one, or in both where it is known by both names.
        sessions: In how many of the sessions it is a theme.
        quotations: Some passages, each with the id of its session; of different sessions, in the order of these.
    """

    phrases: tuple[tuple[str, str], ...]
    sessions: int
    quotations: tuple[tuple[str, Theme], ...]

    @property
    def languages(self) -> frozenset[str]:
        """The languages that it is said in."""
        return frozenset(language for language, _ in self.phrases)


@dataclass(slots=True)
class _Said:
    """A phrase as it is found: where and how often it is surely or maybe said as a name, in which forms, how often."""

    where: list[tuple[Sentence, int, int]] = field(default_factory=list)
    forms: Counter[str] = field(default_factory=Counter)
    surely: int = 0
    times: int = 0


def find_themes(transcript: Transcript, session: Session) -> tuple[Theme, ...]:
    """Find what a session is about.

    Args:
        transcript: Edited, so that no quotation stutters, and without what was cut.
        session: Its people are no themes; its topics and keywords are names that hold in both languages.

    Returns:
        The most telling first, at most :data:`MOST_KEPT`; names of people and what every session speaks of left out.
    """
    said = sentences(transcript)
    people = _people(transcript, session)
    speakers = {speaker.key: Speaker(key=speaker.key, name=speaker.name) for speaker in transcript.speakers}
    named = {
        (language, *_stems_of(name.get(language), language)): name
        for name in (*session.topics, *session.keywords)
        if name.en is not None and name.fr is not None
        for language in LANGUAGES
    }
    found: list[Theme] = []
    for (language, *stems), phrase in _ranked(_gathered(said, people)):
        sentence, first, last = min(phrase.where, key=lambda place: _unfit(*place))
        quoted, text = _quotation(sentence, first, last)
        found.append(
            Theme(
                start_ms=quoted[0].start_ms,
                end_ms=max(word.end_ms for word in quoted),
                phrase=min(phrase.forms, key=lambda form: (-phrase.forms[form], form)),
                language=language,
                stems=tuple(stems),
                said=phrase.times,
                quotation=text,
                speaker=speakers.get(sentence.speaker or ""),
                names=named.get((language, *stems)),
            )
        )
        if len(found) == MOST_KEPT:
            break
    return tuple(found)


def combine_themes(sessions: Mapping[str, Sequence[Theme]]) -> tuple[CommonTheme, ...]:
    """Return the themes that recur, those of the most sessions first.

    Args:
        sessions: The themes of each by its id, the most telling first; in the order in which they are to be quoted.

    Returns:
        At most :data:`MOST_THEMES` in each language that is spoken, each of at least :data:`LEAST_SESSIONS` sessions.
    """
    # Once a session and concept: its most telling form, with its place among the session's themes.
    shared: dict[tuple[tuple[str, ...], ...], dict[str, tuple[int, Theme]]] = defaultdict(dict)
    bridges = {one: theme.concept for themes in sessions.values() for theme in themes for one in theme.concept}
    bridges |= {
        one: theme.concept for themes in sessions.values() for theme in themes if theme.names for one in theme.concept
    }
    for session_id, themes in sessions.items():
        for place, theme in enumerate(themes):
            shared[bridges[theme.concept[0]]].setdefault(session_id, (place, theme))
    ranked = sorted(shared, key=lambda concept: (-_worth(shared[concept]), concept))
    found: list[CommonTheme] = []
    taken: list[frozenset[tuple[str, str]]] = []
    counts: Counter[str] = Counter()
    quoted: set[tuple[str, int]] = set()
    for concept in ranked:
        members, stems = shared[concept], _stem_set(concept)
        if len(members) < LEAST_SESSIONS or any(_overlap(stems, other) for other in taken):
            continue
        if _only_within(members, quoted):
            continue
        common = _common(members, sessions, quoted)
        if any(counts[language] >= MOST_THEMES for language in common.languages):
            continue
        counts.update(common.languages)
        taken.append(stems)
        quoted |= {(session_id, theme.start_ms) for session_id, theme in common.quotations}
        found.append(common)
    return tuple(sorted(found, key=lambda common: -common.sessions))


def _worth(members: Mapping[str, tuple[int, Theme]]) -> float:
    """Return how much a theme of some sessions tells of them all: its place in each, and what longer names say more."""
    places = sum(1 / (1 + place / 12) for place, _ in members.values())
    length = max(len(theme.stems) for _, theme in members.values())
    return round(places * math.sqrt(len(members)) * math.log2(1 + length), 9)


def _only_within(members: Mapping[str, tuple[int, Theme]], quoted: set[tuple[str, int]]) -> bool:
    """Say whether a theme is no more than another part of passages that speak for one already."""
    return all(theme.said == 1 and (session_id, theme.start_ms) in quoted for session_id, (_, theme) in members.items())


def _stem_set(concept: Iterable[tuple[str, ...]]) -> frozenset[tuple[str, str]]:
    return frozenset((language, stem) for language, *stems in concept for stem in stems)


def _overlap(one: frozenset[tuple[str, str]], other: frozenset[tuple[str, str]]) -> bool:
    return one <= other or other <= one


def _common(
    members: Mapping[str, tuple[int, Theme]], sessions: Iterable[str], quoted: set[tuple[str, int]]
) -> CommonTheme:
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    for _, theme in members.values():
        forms[theme.language][theme.phrase] += theme.said
    order = {session_id: at for at, session_id in enumerate(sessions)}
    # A passage that speaks for another theme already says nothing new here.
    best = sorted(
        members, key=lambda each: ((each, members[each][1].start_ms) in quoted, members[each][0], order[each])
    )
    chosen = sorted(best[:MOST_QUOTATIONS], key=lambda each: order[each])
    return CommonTheme(
        phrases=tuple(
            (language, min(forms[language], key=lambda form: (-forms[language][form], form)))
            for language in sorted(forms)
        ),
        sessions=len(members),
        quotations=tuple((session_id, members[session_id][1]) for session_id in chosen),
    )


def _gathered(said: Iterable[Sentence], people: frozenset[str]) -> dict[tuple[str, ...], _Said]:
    """Return every phrase that may name something, by its language and stems."""
    found: dict[tuple[str, ...], _Said] = defaultdict(_Said)
    for sentence in said:
        for first, last in _phrases(sentence.words):
            words = sentence.words[first : last + 1]
            content = [word for word in words if stem_of(word) is not None]
            if any(bare(word) in people for word in content) or all(map(_trivial, content)):
                continue
            phrase = found[(sentence.language, *filter(None, map(stem_of, words)))]
            phrase.times += 1
            surely = _is_name(sentence.words, first, last)
            phrase.surely += surely
            if surely or (len(content) > 1 and not _follows_verb(sentence.words, first)):
                phrase.where.append((sentence, first, last))
                phrase.forms[phrase_text(words)] += 1
    return found


def _ranked(found: Mapping[tuple[str, ...], _Said]) -> Iterator[tuple[tuple[str, ...], _Said]]:
    """Yield the phrases that are terms, the most telling first."""
    terms = {
        key: phrase
        for key, phrase in found.items()
        if phrase.where and (_is_term(phrase) if len(key) > 2 else _is_noun(phrase))
    }
    within: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for key, phrase in terms.items():
        for part in _parts(key):
            within[part].append(phrase.times)
    worth = {key: _c_value(len(key) - 1, phrase.times, within[key]) for key, phrase in terms.items()}
    for key in sorted(terms, key=lambda key: (-worth[key], terms[key].where[0][0].start_ms, key)):
        if worth[key] > 0:
            yield key, terms[key]


def _is_term(phrase: _Said) -> bool:
    """Say whether a phrase of several words may be a name: surely used as one, or said again."""
    return phrase.surely > 0 or phrase.times > 1


def _is_noun(phrase: _Said) -> bool:
    """Say whether a single word is one that things are called by."""
    return phrase.surely > 1 and phrase.surely / phrase.times >= _LEAST_NAMED


def _c_value(length: int, times: int, longer: Sequence[int]) -> float:
    """Return how much of a term a phrase is: often said, of several words, and not only within longer ones."""
    alone = times - (sum(longer) / len(longer) if longer else 0)
    return round(math.log2(1 + length) * alone * (_SAID_ONCE if times == 1 else 1), 9)


def _parts(key: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    language, *stems = key
    for length in range(1, len(stems)):
        for first in range(len(stems) - length + 1):
            yield (language, *stems[first : first + length])


def _phrases(words: Sequence[Word]) -> Iterator[tuple[int, int]]:
    """Yield the places of the first and the last word of every run that could name something."""
    for first, word in enumerate(words):
        if stem_of(word) is None or _is_preposition(words, first):
            continue
        content = 0
        for last in range(first, min(first + _MOST_WORDS, len(words))):
            if last > first and words[last].text[0] in _OPENING:
                break
            if bare(words[last]) in _BREAKS.get(word.language, frozenset()):
                break
            if stem_of(words[last]) is not None:
                content += 1
                if content > _MOST_CONTENT:
                    break
                yield first, last
            elif bare(words[last]) not in _LINKS.get(word.language, frozenset()):
                break
            if words[last].text[-1] in _MARKS:
                break


def _is_preposition(words: Sequence[Word], place: int) -> bool:
    """Say whether a noun only makes a preposition of those around it."""
    language = words[place].language
    if bare(words[place]) not in _OF_PREPOSITIONS.get(language, frozenset()):
        return False
    around = [bare(word) for word in words[max(0, place - 2) : place]]
    if around and around[-1] in _ARTICLES[language]:
        around.pop()
    following = words[place + 1].text.lower().replace("’", "'") if place + 1 < len(words) else ""
    goes_on = following in _GOING_ON[language] or (language == "fr" and following.startswith("d'"))
    return goes_on and bool(around) and around[-1] in _PREPOSITIONS[language]


def _is_name(words: Sequence[Word], first: int, last: int) -> bool:
    """Say whether a phrase is used as a noun is: behind an article or the like.

    A single word must have no other content word behind it: it may as well be what describes that.
    """
    goes_on = last + 1 < len(words) and words[last].text[-1] not in _MARKS and stem_of(words[last + 1]) is not None
    if first == last and goes_on:
        return False
    word = words[first]
    if word.language == "fr" and bare(word) != word.text.lower().replace("’", "'").strip(_MARKS + _OPENING):
        return word.text[:1].lower() == "l"
    return first > 0 and bare(words[first - 1]) in _BEFORE_NAMES.get(word.language, frozenset())


def _follows_verb(words: Sequence[Word], first: int) -> bool:
    return first > 0 and bare(words[first - 1]) in _BEFORE_VERBS.get(words[first].language, frozenset())


def _trivial(word: Word) -> bool:
    return bare(word) in _TRIVIAL.get(word.language, frozenset()) or not bare(word).replace("-", "").isalpha()


def _unfit(sentence: Sentence, first: int, _last: int) -> tuple[bool, bool, int, int]:
    """Return how badly a sentence speaks for itself, for choosing the best."""
    return (
        not stands_alone(sentence),
        len(sentence.words) > _LONGEST_QUOTATION,
        abs(len(sentence.words) - _GOOD_QUOTATION),
        sentence.words[first].start_ms,
    )


def _quotation(sentence: Sentence, first: int, last: int) -> tuple[Sequence[Word], str]:
    """Return the words to quote, and as what; of a sentence that goes on and on only what is around the phrase."""
    words = sentence.words
    begin, end = 0, len(words)
    if len(words) > _LONGEST_QUOTATION:
        begin = max(0, min((first + last + 1 - _LONGEST_QUOTATION) // 2, len(words) - _LONGEST_QUOTATION))
        end = begin + _LONGEST_QUOTATION
    quoted = words[begin:end]
    text = " ".join(word.text for word in quoted)
    return quoted, f"{'… ' if begin else ''}{text}{' …' if end < len(words) else ''}"


def _people(transcript: Transcript, session: Session) -> frozenset[str]:
    """Return the words of everybody's names, in lower case."""
    names = [speaker.name for speaker in transcript.speakers if speaker.name]
    names += [proposal.name for speaker in transcript.speakers for proposal in speaker.proposals]
    names += [person.name for person in session.people]
    parts = {part.strip(".,").casefold() for name in names for part in name.replace("’", "'").split()}
    return frozenset(
        part for part in parts if len(part) > 2 and not any(part in STOP_WORDS[each] for each in LANGUAGES)
    )


def _stems_of(name: str, language: str) -> tuple[str, ...]:
    words = (Word(start_ms=0, end_ms=0, text=part, probability=1.0, language=language) for part in name.split())
    return tuple(stem for stem in map(stem_of, words) if stem is not None)
