"""What a session is about, word by word: the words that carry meaning, in sentences.

In comes a transcript; out go its sentences, each with the stems of its content words counted. It stands alone because
chapters and highlights must agree on what a sentence and a word worth counting is. Stems come from Snowball, so that
*page* and *pages*, *rédiger* and *rédigé* count as one; what is said about everything is on a list for each language.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import snowballstemmer

from pipeline.sentences import ends_sentence
from pipeline.types import Span, Transcript, Word

_STEMMERS: Final = {"en": "english", "fr": "french"}
_SHORTEST: Final = 3
_PUNCTUATION: Final = ".,;:!?…\"'’“”«»()[]{}–—-\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"
_ELISIONS: Final = ("l'", "d'", "j'", "m'", "t'", "s'", "n'", "c'", "qu'", "jusqu'", "lorsqu'", "puisqu'")

# Grammar, and what speakers say about anything: it tells no topic from another.
_COMMON: Final = {
    "en": """
    a about above across actually after again against ago all almost already also although always am among an and
    another any anybody anyone anything anyway are aren't around as ask at away back basically be became because become
    been before being below between big bit both bring but by call called came can can't cannot certain certainly come
    comes coming could couldn't couple course day days did didn't different do does doesn't doing don't done down
    during each either else end enough especially etc even ever every everybody everyone everything exactly example far
    feel few find fine first five for four from get gets getting give given go goes going gonna good got great guess
    had happen happened has hasn't have haven't having he he's hear hello help her here here's hers herself hi him
    himself his how however i i'd i'll i'm i've idea if in indeed instead into is isn't it it's its itself just keep
    kind knew know known large last later least less let let's like likely little long look looked looking lot lots
    made mainly make makes making many may maybe me mean means might mind mine more most much must my myself need needs
    never new next nice no none nor not nothing now number of off often oh okay old on once one ones only onto or other
    others our ours ourselves out over own part particular people perhaps place please point possible pretty probably
    put quite rather ready real really right said same saw say saying says second see seem seems seen sense several
    shall she she's should shouldn't show simply since so some somebody someone something sometimes somewhere sort
    start started still stuff such sure take taken takes taking talk talked talking tell thank thanks that that's the
    their theirs them themselves then there there's therefore these they they're they've thing things think thinking
    third this those though thought three through thus time times to today together told too took toward towards tried
    try trying turn two under until up upon us use used using usually very want wanted wants was wasn't way ways we
    we'll we're we've week welcome well went were weren't what what's whatever when where whether which while who who's
    whole whom whose why will with within without won't wonder word words work worked working works would wouldn't yeah
    year years yes yet you you'd you'll you're you've your yours yourself
    """,
    "fr": """
    à afin ai ainsi ait aller allez allons alors an ans appelle après arrive as assez attention au aucun aucune
    aujourd'hui auquel aura aurait aussi autour autre autres aux avaient avais avait avant avec avez avoir avons ayant
    beaucoup ben bien bon bonjour bonne bout bref c'est ça car cas ce ceci cela celle celles celui cent cependant
    certain certaine certaines certains ces cet cette ceux chacun chacune chaque chez chose choses ci cinq comme
    comment d'abord d'accord dans de déjà demain demande depuis derrière des dès dessus deux deuxième devant devez
    devoir devons devrait dire dis disais disait disant dit dites dix doit doivent donc donne donner dont du d'une d'un
    effectivement elle elles en encore enfin ensemble ensuite entre envers environ essayer est et étaient étais était
    étant été être eu eux évidemment exactement exemple face façon faire fais faisait fait faites falloir fallait
    faudra faut finalement fois font forcément grand grande grandes grands gens hier hors ici idée il ils important
    j'ai j'avais jamais je jour jours jusque juste l'on la là laisse laquelle le lequel les lesquels leur leurs lieu
    lors lorsque lui m'a ma madame maintenant mais mal malgré manière me même mêmes merci mes met mettre mieux mille
    mise moi moins moment mon monde monsieur n'a n'est ne ni niveau non nos notamment notre nous nouveau nouveaux
    nouvel nouvelle nouvelles nul on ont ou où ouais oui outre par parce pareil parfois parle parler parmi part partir
    pas passe passer pendant pense penser permet permettre personne petit petite petites petits peu peut peut-être
    peuvent peux plaisir plein plupart plus plusieurs plutôt point possible pour pourquoi pourra pourrait pourtant
    pouvait pouvez pouvoir pouvons premier première premièrement prend prendre près presque problème puis puisque
    qu'est-ce qu'il qu'on qu'un quand quant quatre que quel quelle quelles quelqu'un quelque quelques quels question
    qui quoi quoique regarde regarder reste rien s'il sa sais sait sans savez savoir se selon semaine sens sera serait
    ses seul seulement si sinon sois soit son sont sorte sous souvent suis suite sujet sur surtout t'as ta tant te tel
    telle tellement temps tes toi ton toujours tous tout toute toutes travers très trois trop trouve trouver truc trucs
    tu type un une va vais vas venir vers veut veux vient voilà voici voir vois voit voient vont vos votre voudrais
    voulait vouloir voulu vous voyez vrai vraiment vu y
    """,
}
STOP_WORDS: Final = {language: frozenset(text.split()) for language, text in _COMMON.items()}
"""Words that tell nothing of a topic, by language, in lower case with straight apostrophes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence(Span):
    """A sentence of one speaker in one language.

    Attributes:
        speaker: Key of the speaker, or ``None``.
        words: At least one, in order.
        stems: Of its content words, with how often each is said.
    """

    speaker: str | None
    words: tuple[Word, ...]
    stems: Counter[str]

    @property
    def language(self) -> str:
        """The language that it was said in."""
        return self.words[0].language


def sentences(transcript: Transcript) -> tuple[Sentence, ...]:
    """Divide a transcript into sentences, ended by punctuation, a change of language or of turn."""
    return tuple(_sentences(transcript))


def _sentences(transcript: Transcript) -> Iterator[Sentence]:
    for turn in transcript.turns:
        said: list[Word] = []
        for word in turn.words:
            if said and word.language != said[-1].language:
                yield _sentence(turn.speaker, said)
                said = []
            said.append(word)
            if ends_sentence(word.text, word.language):
                yield _sentence(turn.speaker, said)
                said = []
        if said:
            yield _sentence(turn.speaker, said)


def _sentence(speaker: str | None, words: list[Word]) -> Sentence:
    return Sentence(
        start_ms=words[0].start_ms,
        end_ms=max(word.end_ms for word in words),
        speaker=speaker,
        words=tuple(words),
        stems=count_stems(words),
    )


def count_stems(words: Iterable[Word]) -> Counter[str]:
    """Count the stems of content words."""
    found = (stem_of(word) for word in words)
    return Counter(stem for stem in found if stem is not None)


def stem_of(word: Word) -> str | None:
    """Return the stem of a content word, or ``None`` for a word that tells nothing of a topic.

    Example:
        >>> stem_of(Word(start_ms=0, end_ms=1, text="Pages,", probability=1, language="en"))
        'page'
    """
    core, common = bare(word), STOP_WORDS.get(word.language, frozenset())
    if len(core) < _SHORTEST or not core[0].isalpha() or core in common or _lower(word) in common:
        return None
    return _stem(core, word.language)


def bare(word: Word) -> str:
    """Return a word in lower case without its marks and without what French elides before it."""
    core = _lower(word)
    if word.language == "fr":
        for elision in _ELISIONS:
            if core.startswith(elision) and len(core) > len(elision):
                return core.removeprefix(elision)
    return core


def phrase_text(phrase: Sequence[Word]) -> str:
    """Return a run of words as a name for something: without the marks around it and what French elides before it."""
    texts = [word.text for word in phrase]
    texts[0] = texts[0][len(texts[0]) - len(texts[0].lstrip("«“\"'([ \u00a0")) :]
    texts[-1] = texts[-1].rstrip(".,;:!?…»”\"')]\u00a0 ")
    for elided in ("l'", "l’", "d'", "d’", "qu'", "qu’"):
        if phrase[0].language == "fr" and texts[0].lower().startswith(elided):
            texts[0] = texts[0][len(elided) :]
    return " ".join(texts)


def _lower(word: Word) -> str:
    return word.text.lower().replace("’", "'").strip(_PUNCTUATION)


@cache
def _stem(core: str, language: str) -> str:
    if language not in _STEMMERS:
        return core
    # A stemmer holds the word that it is at work on, so each call has its own.
    stemmed: str = snowballstemmer.stemmer(_STEMMERS[language]).stemWord(core)
    return stemmed
