"""The player in the reader's language.

Takes the messages of ``player.toml`` and returns, for each language, the module that makes the player with them. The
player's library asks for its texts by the English ones that are in its code; the names of ours stand beside these here,
and nowhere else. Stands alone because the player runs in the browser, where no message can be looked up.
"""

from __future__ import annotations

import json
from typing import Final

from pipeline.messages import message
from pipeline.types import Language

_LIBRARY: Final = {
    "Video Player": "player.player",
    "Play": "player.play",
    "Pause": "player.pause",
    "Replay": "player.replay",
    "Mute": "player.mute",
    "Unmute": "player.unmute",
    "Volume Level": "player.volume",
    "Progress Bar": "player.position",
    "progress bar timing: currentTime={1} duration={2}": "player.position_of",
    "Current Time": "player.time",
    "Duration": "player.duration",
    "Loaded": "player.loaded",
    "{1} is loading.": "player.loading",
    "Playback Rate": "player.speed",
    "Chapters": "player.chapters",
    "Captions": "player.captions",
    "captions off": "player.captions_off",
    ", selected": "player.selected",
    "Picture-in-Picture": "player.picture_in_picture",
    "Exit Picture-in-Picture": "player.picture_in_picture_exit",
    "Playing in picture-in-picture": "player.picture_in_picture_on",
    "Fullscreen": "player.full_screen",
    "Exit Fullscreen": "player.full_screen_exit",
    "Modal Window": "player.dialog",
    "This is a modal window.": "player.dialog_is",
    "This modal can be closed by pressing the Escape key or activating the close button.": "player.dialog_escape",
    "Close": "player.close",
    "Close Modal Dialog": "player.close",
    "No content": "player.empty",
    "You aborted the media playback": "player.failed_stopped",
    "A network error caused the media download to fail part-way.": "player.failed_network",
    "The media playback was aborted due to a corruption problem or because the media used features your browser did "
    "not support.": "player.failed_broken",
    "The media could not be loaded, either because the server or network failed or because the format is not "
    "supported.": "player.failed_loading",
    "No compatible source was found for this media.": "player.failed_source",
}
"""What the library calls a text, and what we do."""
_OURS: Final = {
    "speed of": "player.speed_of",
    "size of": "player.size_of",
    "colours white": "player.colours_white",
    "colours yellow": "player.colours_yellow",
    "colours black": "player.colours_black",
    "colours cream": "player.colours_cream",
    "sound only": "player.sound_only",
    "resumed at": "player.resumed_at",
    "resumed restart": "player.resumed_restart",
    "resumed dismiss": "player.resumed_dismiss",
}
"""What ``player.js`` calls the texts of what we added."""


def player_script(language: Language) -> bytes:
    """Return the module that gives ``play.js`` the player, ``player.<language>.js``."""
    # The library's own placeholders take the places of ours.
    texts = {name: message(code, language, first="{1}", second="{2}") for name, code in (_LIBRARY | _OURS).items()}
    table = json.dumps(texts, ensure_ascii=False, indent=0)
    return f'import {{ enhance }} from "./player.js";\n\nenhance("{language}", {table});\n'.encode()
