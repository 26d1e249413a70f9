from llguidance import LLMatcher

from autoglm_phone.backends.grammar.trial import TOO_COMPLEX, trial_fault


def test_a_grammar_that_compiles_has_no_fault() -> None:
    assert trial_fault(LLMatcher.grammar_from_json_schema({"type": "object"})) == ""


def test_a_fault_is_told_in_words() -> None:
    assert "does not exist" in trial_fault(LLMatcher.grammar_from_json_schema({"$ref": "#/$defs/absent"}))


def test_a_grammar_that_never_ends_to_compile_ends_the_child_alone() -> None:
    endless = "start: A\nA: " + " & ".join(f"/.*a{i}.{{{i}}}.*/" for i in range(60))
    assert trial_fault(endless, cpu_s=1) == TOO_COMPLEX
