"""Regular expressions of published tokenizers pass; those that backtrack for long do not."""

import time

import pytest
from tokenizers import Regex, pre_tokenizers

from snapseek.models.text.regex_rules import pattern_problem

CLIP = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
PUBLISHED = [
    rf"<\|startoftext\|>|<\|endoftext\|>|{CLIP}",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{M}]*[\p{Ll}\p{Lm}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]",
    r" ?[^(\s|[.,!?…])]+",
    r"(?=(\d{3})+(?!\d))",
    r" {2,}",
    r"\s+",
]
SLOW = [
    r"(a+)+$",
    r"(a|a)*b",
    r"(a*)*b",
    r"(\w+\s?)+!",
    r"(?:.*a){12}",
    r".*.*.*x",
    r".+?.+?.+?x",
    r"(.+)(.+)(.+)x",
    r"(?:a{1,90}){1,90}$",
    r"(a?){90}a",
    "a?" * 12 + "a" * 12,
    "(a|a)" * 12 + "b",
    r"(a+)+\1b",
    r"(?<n>a)\k<n>",
    r"\g<1>(a+)",
]
HIDDEN = ["(?x)# [ \n(a+)+ # ]", "(?#[)(a+)+(?#])", r"\c[(a+)+]", r"[\c](a+)+]", r"[\]](a+)+", r"[[a]](a+)+"]
BROKEN = ["(a", "a)", "[a", "\\", "*a", "a" * 3000, "(" * 50 + ")" * 50, "(?", "a{"]


@pytest.mark.parametrize("pattern", PUBLISHED)
def test_a_published_pattern_passes(pattern):
    assert pattern_problem(pattern) is None


@pytest.mark.parametrize("pattern", SLOW + HIDDEN)
def test_a_pattern_that_backtracks_for_long_is_refused(pattern):
    assert pattern_problem(pattern) is not None


@pytest.mark.parametrize("pattern", BROKEN)
def test_any_text_is_judged_without_an_error(pattern):
    assert pattern_problem(pattern) is None or isinstance(pattern_problem(pattern), str)


@pytest.mark.parametrize(
    "text", ["a" * 4000, "a " * 2000, "\r\n" * 2000, "1" * 4000, "'" * 4000, " " * 4000 + "x"]
)
@pytest.mark.parametrize("pattern", PUBLISHED)
def test_a_pattern_that_passes_is_fast(pattern, text):
    began_s = time.process_time()
    pre_tokenizers.Split(Regex(pattern), "isolated").pre_tokenize_str(text)
    assert time.process_time() - began_s < 5
