"""What successive hearings of a growing sound agree on: text that is unlikely to be taken back. Pure.

Source: the LocalAgreement-2 policy, Macháček et al. 2023 (arXiv 2307.14743), section 2.
"""


class AgreedText:
    """`push` gives what has become certain since the last call; the pieces, joined, are `text`.

    num_agreed: how many characters the last two hearings begin with alike, whatever was given out before.
    """

    def __init__(self) -> None:
        self.text = ""
        self.num_agreed = 0
        self._last = ""

    def push(self, heard: str) -> str:
        """heard: the whole sound so far. Where it contradicts what was given out, nothing is added."""
        last, self._last = self._last, heard
        common = _whole_words(_common_prefix(last, heard), heard, last)
        self.num_agreed = len(common)
        if not common.startswith(self.text):
            return ""
        added = common[len(self.text) :]
        self.text = common
        return added

    def finish(self, heard: str) -> str:
        """The rest of the last hearing, if it goes on where the certain text ends."""
        if not heard.startswith(self.text):
            return ""
        added = heard[len(self.text) :]
        self.text = heard
        return added


def _common_prefix(first: str, second: str) -> str:
    length = 0
    while length < min(len(first), len(second)) and first[length] == second[length]:
        length += 1
    return first[:length]


def _whole_words(prefix: str, *texts: str) -> str:
    """Without a word that may go on, and without the space behind the last."""
    if any(_goes_on(text, len(prefix)) for text in texts):
        prefix = prefix[: _last_break(prefix)]
    return prefix.rstrip()


def _goes_on(text: str, at: int) -> bool:
    """Whether a word that is written with letters goes on over this place."""
    return 0 < at < len(text) and _is_letter(text[at - 1]) and _is_letter(text[at])


def _last_break(text: str) -> int:
    at = len(text)
    while at > 0 and _is_letter(text[at - 1]):
        at -= 1
    return at


def _is_letter(character: str) -> bool:
    """Of a writing that parts its words; Chinese and Japanese characters stand for themselves."""
    return (character.isalnum() or character in "'’") and not "\u3040" <= character <= "\u9fff"
