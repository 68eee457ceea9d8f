"""The one typeface that is drawn into pictures: DejaVu Sans 2.37, unchanged, from the Debian package fonts-dejavu-core.

Nothing comes in; a path goes out. It is here because a machine may have no fonts at all, and because what a title card
looks like should not depend on the machine. It covers Latin, Greek, Cyrillic, Arabic, Hebrew and Canadian syllabics;
LICENSE-DejaVuSans.txt (Bitstream Vera, changes in the public domain) allows it to be shipped with other software.
"""
