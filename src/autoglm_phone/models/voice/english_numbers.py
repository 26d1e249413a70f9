"""Numbers in English words. Pure."""

_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_GROUPS = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
# Longer ones are codes and telephone numbers.
_MAX_DIGITS = 12


def number_words(written: str) -> str:
    """written: digits, with commas between thousands and one point at most."""
    whole, point, part = written.replace(",", "").partition(".")
    if len(whole) > _MAX_DIGITS or (len(whole) > 1 and whole.startswith("0")):
        words = _digits(whole)
    elif len(whole) == 4 and not point and "," not in written and "1100" <= whole < "2000":
        words = _year(int(whole))
    else:
        words = _cardinal(int(whole or "0"))
    return f"{words} point {_digits(part)}" if part else words


def ordinal_words(number: int) -> str:
    before, space, last = _cardinal(number).rpartition(" ")
    regular = last.removesuffix("y") + ("ieth" if last.endswith("y") else "th")
    return before + space + _ORDINALS.get(last, regular)


def _year(number: int) -> str:
    century, rest = divmod(number, 100)
    if rest == 0:
        return f"{_cardinal(century)} hundred"
    return f"{_cardinal(century)} {'oh ' if rest < 10 else ''}{_cardinal(rest)}"


def _cardinal(number: int) -> str:
    if number < 20:
        return _SMALL[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens] + (f" {_SMALL[ones]}" if ones else "")
    size, name = next((size, name) for size, name in _GROUPS if number >= size)
    count, rest = divmod(number, size)
    return f"{_cardinal(count)} {name}" + (f" {_cardinal(rest)}" if rest else "")


def _digits(digits: str) -> str:
    return " ".join(_SMALL[int(digit)] for digit in digits)
