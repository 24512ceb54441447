"""A condition says since when it holds."""

from __future__ import annotations

from pilotlight.conditions import condition


def test_the_time_of_a_condition_changes_with_its_status_alone() -> None:
    said = condition(None, "Ready", ("False", "Waiting", "for x"), generation=1, at="monday")
    assert (said.status, said.last_transition_time) == ("False", "monday")
    said = condition(said, "Ready", ("False", "Broken", "y"), generation=2, at="tuesday")
    assert (said.reason, said.message, said.observed_generation) == ("Broken", "y", 2)
    assert said.last_transition_time == "monday"
    said = condition(said, "Ready", ("True", "Serving", ""), generation=2, at="wednesday")
    assert said.last_transition_time == "wednesday"
