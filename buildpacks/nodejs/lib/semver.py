"""Versions and ranges as npm understands them (node-semver's README, "Ranges"); pre-releases are never chosen by a range."""

import re

PART = r"(?:0|[1-9]\d*|[xX*])"
VERSION = re.compile(rf"[v=\s]*({PART})(?:\.({PART})(?:\.({PART})(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?)?)?")
TOP = (float("inf"),) * 3


def parse(text):
    """(major, minor, patch) of a full version without pre-release; None for any other text."""
    match = VERSION.fullmatch(text.strip())
    if not match or match[4] or not all(part and part.isdigit() for part in match.groups()[:3]):
        return None
    return tuple(int(part) for part in match.groups()[:3])


def _partial(text):
    match = VERSION.fullmatch(text)
    if not match:
        raise ValueError(f'"{text}" is no version')
    numbers = []
    for part in match.groups()[:3]:
        if part is None or not part.isdigit():
            break
        numbers.append(int(part))
    return numbers


def _low(numbers):
    return tuple((numbers + [0, 0, 0])[:3])


def _next(numbers, at):
    """The first version after all that begin with `numbers[:at]`."""
    if at == 0:
        return TOP
    return _low(numbers[: at - 1] + [numbers[at - 1] + 1])


def _comparator(operator, text):
    """[low, high) of one comparator."""
    numbers = _partial(text)
    size = len(numbers)
    if operator == "^":
        at = next((index + 1 for index, number in enumerate(numbers) if number), size)
        return _low(numbers), _next(numbers, at)
    if operator in ("~", "~>"):
        return _low(numbers), _next(numbers, min(size, 2))
    if operator == ">=":
        return _low(numbers), TOP
    if operator == ">":
        return (_next(numbers, size), TOP) if size else (TOP, TOP)
    if operator == "<":
        return (0, 0, 0), _low(numbers)
    if operator == "<=":
        return (0, 0, 0), _next(numbers, size)
    return _low(numbers), _next(numbers, size)


def _intervals(text):
    """What a range allows: a list of [low, high)."""
    found = []
    for alternative in text.split("||"):
        low, high = (0, 0, 0), TOP
        hyphen = re.fullmatch(r"\s*(\S+)\s+-\s+(\S+)\s*", alternative)
        if hyphen:
            pairs = [(">=", hyphen[1]), ("<=", hyphen[2])]
        else:
            joined = re.sub(r"(\^|~>?|[<>]=?|=)\s+", r"\1", alternative.strip())
            pairs = [re.fullmatch(r"(\^|~>?|[<>]=?|=|)(.*)", word).groups() for word in joined.split()]
        for operator, version in pairs:
            one_low, one_high = _comparator(operator, version)
            low, high = max(low, one_low), min(high, one_high)
        found.append((low, high))
    return found


def satisfies(version, text):
    """Whether a version, as text, is in a range. Throws ValueError for a range that cannot be read."""
    numbers = parse(version)
    return numbers is not None and any(low <= numbers < high for low, high in _intervals(text))


def newest(versions, text):
    """The newest of `versions` in a range; None where there is none."""
    intervals = _intervals(text)
    known = [(parse(version), version) for version in versions]
    fitting = [pair for pair in known if pair[0] and any(low <= pair[0] < high for low, high in intervals)]
    return max(fitting)[1] if fitting else None
