"""Text for a terminal: letters that move the cursor, hide or reorder what is beside them are spelled out."""

import unicodedata

HIDDEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
"""Categories of letters that are not seen: controls, directions, joiners, separators of lines, unassigned."""


def visible(text: object, keep: str = "\n") -> str:
    r"""Return `text` with each hidden letter as an escape, but for those in `keep`.

    Names of columns, labels and messages of other packages come with the data: on a terminal a letter of theirs could
    delete lines, change colours or run commands.

    Examples
    --------
    >>> print(visible("a\x1b[2Jb"), visible("a\nb", keep=""))
    a\x1b[2Jb a\nb
    """
    return "".join(
        letter.encode("unicode_escape").decode()
        if letter not in keep and unicodedata.category(letter) in HIDDEN
        else letter
        for letter in str(text)
    )
