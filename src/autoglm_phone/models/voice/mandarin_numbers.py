"""Numbers of a Chinese text in characters. Pure."""

import re

_DIGITS = "零一二三四五六七八九"
_PLACES = ("", "十", "百", "千")
_GROUPS = ((10**8, "亿"), (10**4, "万"))
# Longer ones are codes and telephone numbers.
_MAX_DIGITS = 9

_YEAR = re.compile(r"(\d{4})(?=年)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*[%％]")
_MONEY = re.compile(r"[¥￥]\s?(\d+(?:\.\d+)?)")
_TIME = re.compile(r"(\d{1,2})[:：](\d{2})(?!\d)")
_NUMBER = re.compile(r"(\d+)(?:\.(\d+))?")


def in_words(text: str) -> str:
    text = _YEAR.sub(lambda year: _one_by_one(year[1]), text)
    text = _PERCENT.sub(lambda share: f"百分之{share[1]}", text)
    text = _MONEY.sub(lambda money: f"{money[1]}元", text)
    text = _TIME.sub(lambda time: f"{time[1]}点" + (f"{time[2]}分" if time[2] != "00" else ""), text)
    return _NUMBER.sub(_number, text)


def _number(match: re.Match[str]) -> str:
    whole, part = match[1], match[2]
    is_code = len(whole) > _MAX_DIGITS or (len(whole) > 1 and whole.startswith("0"))
    words = _one_by_one(whole) if is_code else cardinal(int(whole))
    return words + (f"点{_one_by_one(part)}" if part else "")


def cardinal(number: int) -> str:
    if number == 0:
        return "零"
    words = _positive(number)
    return words.removeprefix("一") if 10 <= number < 20 else words


def _positive(number: int) -> str:
    for size, name in _GROUPS:
        if number >= size:
            count, rest = divmod(number, size)
            gap = "零" if 0 < rest < size // 10 else ""
            return _positive(count) + name + gap + (_positive(rest) if rest else "")
    words, is_gap = "", False
    for place in reversed(range(len(str(number)))):
        digit = number // 10**place % 10
        if digit:
            words += ("零" if is_gap else "") + _DIGITS[digit] + _PLACES[place]
        is_gap = not digit and bool(words)
    return words


def _one_by_one(digits: str) -> str:
    return "".join(_DIGITS[int(digit)] for digit in digits)
