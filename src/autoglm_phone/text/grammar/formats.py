"""String formats of JSON Schema as regular expressions, each narrower than its definition rather than wider.

llguidance's own let 29 February of any year and second 60 through, and run on without end; what stands here is read by
Python's own parsers, by pydantic and by JSON Schema's validators. Sources: RFC 3339, 4122, 5321, 1123, 4291, 6901.
"""

_YEAR = "[1-9][0-9]{3}"
_LEAP_YEAR = "(?:[1-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:1[26]|[2468][048]|[3579][26])00)"
_DATE = (
    f"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    f"|02-(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP_YEAR}-02-29)"
)
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
_LABEL = "[A-Za-z0-9](?:-?[A-Za-z0-9]){0,29}"  # 59 letters at most, and never two hyphens
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_HEX = "[0-9A-Fa-f]"
_GROUP = f"{_HEX}{{1,4}}"
_IPV6 = "|".join(
    [
        f"(?:{_GROUP}:){{7}}{_GROUP}",
        f"(?:{_GROUP}:){{1,7}}:",
        *(f"(?:{_GROUP}:){{1,{7 - k}}}(?::{_GROUP}){{1,{k}}}" for k in range(1, 7)),
        f":(?:(?::{_GROUP}){{1,7}}|:)",
    ]
)
_HMS = "T(?:NH(?:NM(?:NS)?)?|NM(?:NS)?|NS)"
_YMD = "(?:NY(?:NM(?:ND)?)?|NM(?:ND)?|ND)"
_DURATION = f"P(?:{_YMD}(?:{_HMS})?|{_HMS}|NW)".replace("N", "[0-9]{1,4}")

PATTERNS: dict[str, str] = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f"{_DATE}T{_TIME}",
    "duration": _DURATION,
    "email": rf"[A-Za-z0-9](?:[._+-]?[A-Za-z0-9]){{0,31}}@(?:{_LABEL}\.){{1,3}}[A-Za-z]{{2,24}}",
    "hostname": rf"{_LABEL}(?:\.{_LABEL}){{0,3}}",
    "ipv4": rf"(?:{_BYTE}\.){{3}}{_BYTE}",
    "ipv6": f"(?:{_IPV6})",
    "uuid": f"{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}",
    # Pydantic's own
    **{
        f"uuid{version}": f"{_HEX}{{8}}-{_HEX}{{4}}-{version}{_HEX}{{3}}-[89ABab]{_HEX}{{3}}-{_HEX}{{12}}"
        for version in (1, 3, 4, 5, 6, 7, 8)
    },
    "json-pointer": "(?:/(?:[^~/]|~[01])*)*",
    # OpenAPI's
    "byte": "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?",
}
# llguidance's own form of it needs no narrowing. Every URI is also an IRI and a reference.
BUILT_IN: dict[str, str] = {"uri": "uri", "uri-reference": "uri", "iri": "uri", "iri-reference": "uri"}
SAME_AS: dict[str, str] = {"idn-email": "email", "idn-hostname": "hostname"}
ANY_STRING = frozenset({"password", "binary", "path"})
