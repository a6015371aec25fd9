"""Which call an answer belongs to, where no message carries an id."""

from __future__ import annotations

import random

import attrs
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from odyssey._protocol.replies import PendingReplies, Request, Sent

Line = PendingReplies[str]


def interact(line: Line, *prompts: str) -> list[Sent[str]]:
    """Calls that wait, each named for its prompt."""
    return [line.sent(Request.INTERACT, prompt, f"call {prompt}") for prompt in prompts]


def answered(line: Line, prompt: str) -> str | None:
    """Who gets an acknowledgement with this text."""
    entry = line.acknowledged(prompt)
    return None if entry is None else entry.waiter


def test_in_order() -> None:
    line = Line()
    interact(line, "a", "b")
    assert answered(line, "a") == "call a"
    assert answered(line, "b") == "call b"
    assert len(line) == 0


def test_out_of_order() -> None:
    line = Line()
    interact(line, "a", "b", "c")
    assert [answered(line, p) for p in "cab"] == ["call c", "call a", "call b"]


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_unchanged_prompts_find_their_calls_in_any_order(
    prompts: list[str], order: random.Random
) -> None:
    line = Line()
    for n, prompt in enumerate(prompts):
        line.sent(Request.INTERACT, prompt, f"{n} {prompt}")
    shuffled = prompts.copy()
    order.shuffle(shuffled)
    got = [answered(line, prompt) for prompt in shuffled]
    assert [str(call).split()[1] for call in got] == shuffled
    assert len(set(got)) == len(prompts)
    for prompt in set(prompts):  # of calls with the same text, the oldest first
        calls = [int(str(c).split()[0]) for c in got if str(c).endswith(prompt)]
        assert calls == sorted(calls)


def test_a_rewritten_prompt_answers_the_oldest_sent() -> None:
    line = Line()
    interact(line, "a", "b")
    assert answered(line, "a, but prettier") == "call a"
    assert answered(line, "b, but prettier") == "call b"


def test_a_rewriting_and_a_plain_one_mixed() -> None:
    line = Line()
    interact(line, "a", "b")
    assert answered(line, "b") == "call b"
    assert answered(line, "a, but prettier") == "call a"


def test_a_timed_out_call_keeps_its_place() -> None:
    line = Line()
    late, _ = interact(line, "a", "b")
    line.abandon(late)
    assert answered(line, "a, rewritten") is None
    assert answered(line, "b, rewritten") == "call b"


def test_a_late_answer_never_answers_the_next() -> None:
    line = Line()
    (late,) = interact(line, "a")
    line.abandon(late)
    interact(line, "b")
    assert answered(line, "a") is None
    assert answered(line, "b") == "call b"
    assert len(line) == 0


def test_the_same_prompt_again_after_a_time_out() -> None:
    """Nobody can tell the two answers apart: the first one counts, and the second is left over."""
    line = Line()
    (late,) = interact(line, "a")
    line.abandon(late)
    interact(line, "a")
    assert answered(line, "a") == "call a"
    assert answered(line, "a") is None
    assert len(line) == 0


def test_an_answer_that_nobody_asked_for() -> None:
    line = Line()
    assert line.acknowledged("a") is None
    assert line.started() is None
    assert line.ended() is None
    line.sent(Request.START, "a", "start")
    assert line.acknowledged("a") is None
    assert len(line) == 1


def test_a_message_that_did_not_go_out_gets_no_answer() -> None:
    line = Line()
    first, _ = interact(line, "a", "b")
    line.withdraw(first)
    line.withdraw(first)
    assert answered(line, "rewritten") == "call b"


def test_starts_and_ends() -> None:
    line = Line()
    line.sent(Request.START, "a", "start")
    assert line.expects(Request.START)
    assert not line.expects(Request.END)
    started = line.started()
    assert started is not None
    assert (started.waiter, started.prompt) == ("start", "a")
    line.sent(Request.END, None, "end")
    ended = line.ended()
    assert ended is not None
    assert ended.waiter == "end"
    assert len(line) == 0


def test_a_late_start_does_not_answer_the_next_start() -> None:
    line = Line()
    late = line.sent(Request.START, "a", "first")
    line.abandon(late)
    line.sent(Request.START, "b", "second")
    first = line.started("a")
    second = line.started("b")
    assert first is not None
    assert second is not None
    assert (first.waiter, second.waiter) == (None, "second")


def test_a_new_stream_forgets_what_the_one_before_left_unanswered() -> None:
    line = Line()
    (lost,) = interact(line, "a")
    line.abandon(lost)
    line.sent(Request.START, "b", "start")
    assert line.started() is not None
    interact(line, "c")
    assert answered(line, "c, rewritten") == "call c"


# Errors and ends.


def test_an_error_fails_everybody_who_waits() -> None:
    line = Line()
    late, _ = interact(line, "a", "b")
    line.abandon(late)
    line.sent(Request.START, "c", "start")
    line.sent(Request.END, None, "end")
    assert line.refused() == ["call b", "start", "end"]
    assert line.refused() == []


def test_an_error_is_one_answer() -> None:
    """It fails all who wait, and leaves no place that would take later calls' answers."""
    line = Line()
    interact(line, "a", "b")
    assert line.refused() == ["call a", "call b"]
    interact(line, "c")
    assert answered(line, "c, rewritten") == "call c"


def test_an_error_leaves_the_places_of_calls_that_timed_out() -> None:
    line = Line()
    (late,) = interact(line, "a")
    line.abandon(late)
    interact(line, "b")
    assert line.refused() == ["call b"]
    interact(line, "c")
    assert answered(line, "a, rewritten") is None
    assert answered(line, "c, rewritten") == "call c"


def test_a_start_that_waits_comes_before_one_that_gave_up() -> None:
    line = Line()
    line.abandon(line.sent(Request.START, "a", "start a"))
    line.sent(Request.START, "b", "start b")
    started = line.started(None)
    assert started is not None
    assert started.waiter == "start b"


def test_a_start_is_told_by_its_prompt() -> None:
    line = Line()
    line.abandon(line.sent(Request.START, "a", "start a"))
    line.sent(Request.START, "b", "start b")
    started = line.started("a")
    assert started is not None
    assert started.waiter is None


def test_an_error_frees_the_place_of_a_call_that_waited() -> None:
    """A start that is refused behind an answer that was lost leaves no place that would take the
    next start's answer.
    """
    line = Line()
    lost = line.sent(Request.END, None, "end")
    line.abandon(lost)
    line.sent(Request.START, "a", "start")
    assert line.refused() == ["start"]
    assert not line.expects(Request.START)
    assert line.expects(Request.END)


def test_an_error_for_a_timed_out_call_frees_its_place() -> None:
    line = Line()
    (late,) = interact(line, "a")
    line.abandon(late)
    assert line.refused() == []
    assert len(line) == 0


def test_the_end_of_the_stream_fails_interactions_only() -> None:
    line = Line()
    late, _ = interact(line, "a", "b")
    line.abandon(late)
    line.sent(Request.END, None, "end")
    assert line.interactions() == ["call b"]
    assert not line.expects(Request.INTERACT)
    assert line.expects(Request.END)


def test_closing_answers_everybody_and_forgets_all() -> None:
    line = Line()
    interact(line, "a")
    line.sent(Request.START, "b", "start")
    assert line.close() == ["call a", "start"]
    assert line.close() == []
    assert line.acknowledged("a") is None
    assert len(line) == 0


@attrs.define
class Model:
    """What the contract says, written down naively: a list of [prompt, still waiting]."""

    line: list[tuple[str, int, bool]] = attrs.field(factory=list)

    def acknowledge(self, prompt: str) -> int | None:
        chosen = next((e for e in self.line if e[2] and e[0] == prompt), None)
        chosen = chosen or (self.line[0] if self.line else None)
        if chosen is None:
            return None
        self.line.remove(chosen)
        return chosen[1] if chosen[2] else None


class Interactions(RuleBasedStateMachine):
    """Calls, time-outs, answers and errors in any order, against the naive model."""

    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.real: PendingReplies[int] = PendingReplies()
        self.model = Model()
        self.count = 0
        self.told: list[int] = []

    @rule(target=calls, prompt=st.sampled_from("abc"))
    def send(self, prompt: str) -> Sent[int]:
        self.count += 1
        self.model.line.append((prompt, self.count, True))
        return self.real.sent(Request.INTERACT, prompt, self.count)

    @rule(call=consumes(calls))
    def time_out(self, call: Sent[int]) -> None:
        number = call.waiter
        self.real.abandon(call)
        self.model.line = [(p, n, w and n != number) for p, n, w in self.model.line]

    @rule(prompt=st.sampled_from(["a", "b", "c", "rewritten"]))
    def acknowledge(self, prompt: str) -> None:
        expected = self.model.acknowledge(prompt)
        entry = self.real.acknowledged(prompt)
        assert (None if entry is None else entry.waiter) == expected
        if entry is not None and entry.waiter is not None:
            self.told.append(entry.waiter)
            entry.waiter = None

    @rule()
    def refuse(self) -> None:
        waiting = [n for _, n, w in self.model.line if w]
        assert self.real.refused() == waiting
        self.told += waiting
        kept = [entry for entry in self.model.line if not entry[2]]
        self.model.line = kept if waiting else kept[1:]

    @invariant()
    def nobody_is_told_twice(self) -> None:
        assert len(self.told) == len(set(self.told))
        assert len(self.real) == len(self.model.line)


TestInteractions = Interactions.TestCase
