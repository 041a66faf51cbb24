"""Every public function has a comment right above it, and is called by a test, or by an example that a test runs."""

import functools
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
SECTION = re.compile(r"/\* -{2,}.*?\*/")
DECLARATION = re.compile(r"^COVEY_API [^;{]*?\b(covey_\w+)\(", re.MULTILINE)
MACRO = re.compile(r"^#define (covey_\w+)\((?:[^\\\n]|\\\n)*", re.MULTILINE)


def undocumented(header):
    """The functions of a header that no comment stands above, with nothing but declarations and macros in between."""
    found = []
    for paragraph in re.split(r"\n[ \t]*\n", SECTION.sub("", header)):
        for declared in DECLARATION.finditer(COMMENT.sub(lambda text: re.sub(r"[^\n]", " ", text[0]), paragraph)):
            if not COMMENT.search(paragraph[: declared.start()]):
                found.append(declared[1])
    return found


def declared(header):
    return DECLARATION.findall(COMMENT.sub("", header))


def names_of(function, header):
    """What users write to call it: its name, and macros that come down to it."""
    names = {function}
    macros = [(macro[1], macro[0]) for macro in MACRO.finditer(header)]
    while more := {name for name, body in macros if name not in names
                   and any(re.search(rf"\b{known}\(", body.partition(")")[2]) for known in names)}:
        names |= more
    return names


@functools.cache
def called():
    """Every word that stands in front of a parenthesis in what tests run."""
    paths = [*ROOT.glob("examples/*.c*"), *ROOT.glob("tests/**/*.[ch]"), *ROOT.glob("tests/**/*.cpp"),
             *(path for path in ROOT.glob("tests/**/*.py") if path.parent.name != "tools")]
    return {word for path in paths for word in re.findall(r"\b(covey_\w+)\(", COMMENT.sub("", path.read_text()))}


HEADERS = sorted(ROOT.glob("include/covey/*.h"))


@pytest.mark.parametrize("path", HEADERS, ids=lambda path: path.name)
def test_every_function_is_documented(path):
    assert undocumented(path.read_text()) == []


@pytest.mark.parametrize("path", HEADERS, ids=lambda path: path.name)
def test_every_function_is_called_by_a_test(path):
    header = path.read_text()
    assert [name for name in declared(header) if not names_of(name, header) & called()] == []


def test_what_is_missing_is_found():
    header = """/* A file. */

/* ---- Things ---- */
COVEY_API int covey_bare(int a);

/* Two of them. */
COVEY_API int covey_one(void);
COVEY_API const char *
covey_two(int a);

/* With a macro. */
#define covey_easy(...) \\
    covey_hard_at(__VA_ARGS__, 1)
#define covey_easier() covey_easy(0)
COVEY_API int covey_hard_at(int a, int b);

COVEY_API int covey_late(void); /* behind it */
"""
    assert undocumented(header) == ["covey_bare", "covey_late"]
    assert declared(header) == ["covey_bare", "covey_one", "covey_two", "covey_hard_at", "covey_late"]
    assert names_of("covey_hard_at", header) == {"covey_hard_at", "covey_easy", "covey_easier"}
    assert names_of("covey_one", header) == {"covey_one"}
    assert not names_of("covey_bare", header) & called()
