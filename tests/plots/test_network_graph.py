"""The picture of one region's network: everything drawn, nothing on top of anything else."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from sinkrisk import plots
from sinkrisk.errors import InputError
from sinkrisk.network import Network, load, marginals, network_from_tables

REGION, PERIOD = "north_america", "mid_term"
PERIODS = ("near_term", "mid_term", "long_term")
SHOCK, SUPPORT = f"climate_shock__{PERIOD}", f"policy_support__{REGION}__{PERIOD}"
ACCEPTANCE = f"public_acceptance__ocean__{REGION}__{PERIOD}"


@pytest.fixture(scope="module")
def net() -> Network:
    # Two regions: what one region's picture shows does not depend on how many there are.
    return load(regions=(REGION, "open_ocean"), periods=PERIODS)


def of_kind(figure, kind):
    """Patches by what they are of: `box`, `bar` or `arrow`, as the painter marks them."""
    found = [patch for axes in figure.axes for patch in axes.patches]
    return [(p.get_gid().partition(":")[2], p) for p in found if (p.get_gid() or "").startswith(kind + ":")]


def texts(figure):
    return [text for axes in figure.axes for text in axes.texts if text.get_text()]


def assert_nothing_overlaps(figure) -> None:
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    page = figure.bbox
    extents = [(t.get_text(), t.get_window_extent(renderer)) for t in [*texts(figure), *figure.texts]]
    for text, box in extents:
        assert page.x0 - 0.5 <= box.x0, text
        assert box.x1 <= page.x1 + 0.5, text
        assert page.y0 - 0.5 <= box.y0, text
        assert box.y1 <= page.y1 + 0.5, text
    for (one, a), (other, b) in itertools.combinations(extents, 2):
        apart = (
            a.x1 <= b.x0 + 0.1 or b.x1 <= a.x0 + 0.1
            # Lines of text may share the empty top and foot of their extents, not their letters.
            or a.y1 <= b.y0 + 0.35 * a.height or b.y1 <= a.y0 + 0.35 * b.height
        )  # fmt: skip
        assert apart, f"'{one}' lies on '{other}'"
    boxes = [(name, patch.get_window_extent(renderer)) for name, patch in of_kind(figure, "box")]
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        assert not a.overlaps(b), f"{one} lies on {other}"
    for text, extent in extents:
        crossing = [n for n, b in boxes if b.overlaps(extent)]
        for name in crossing:
            frame = dict(boxes)[name]
            assert frame.x0 <= extent.x0, f"'{text}' runs out of {name}"
            assert extent.x1 <= frame.x1, f"'{text}' runs out of {name}"
    assert_no_arrow_passes_a_box(figure)


def assert_no_arrow_passes_a_box(figure) -> None:
    place = {name: patch.get_bbox() for name, patch in of_kind(figure, "box")}
    for _, arrow in of_kind(figure, "arrow"):
        # The path in the coordinates of the axes, its curves broken into short pieces.
        points = np.concatenate([np.asarray(p) for p in arrow._path_original.to_polygons(closed_only=False)])
        inner = points[1:-1]
        for name, box in place.items():
            inside = (
                (inner[:, 0] > box.x0 + 1e-6) & (inner[:, 0] < box.x1 - 1e-6)
                & (inner[:, 1] > min(box.y0, box.y1) + 1e-6) & (inner[:, 1] < max(box.y0, box.y1) - 1e-6)
            )  # fmt: skip
            assert not inside.any(), f"an arrow passes {name}"


@pytest.mark.parametrize("period", [None, PERIOD])
def test_every_node_is_drawn_and_nothing_overlaps_on_a_page(net, period):
    figure = plots.plot_network_region(net, REGION, period=period)
    wide, high = figure.get_size_inches()
    # A4 and letter have 8.27 x 11 inches in common.
    assert wide <= 8.27 - 2 * 0.3
    assert high <= 11.0 - 2 * 0.3
    wanted = {
        f"{node.base}/{node.cls or ''}"
        for node in net.nodes.values()
        if node.region in (None, REGION) and (period is None or node.period in (None, period))
    }
    drawn = [name for name, _ in of_kind(figure, "box")]
    assert sorted(drawn) == sorted(wanted)
    assert min(text.get_fontsize() for text in texts(figure)) >= 6.0
    assert_nothing_overlaps(figure)


def test_every_dependency_within_a_period_is_an_arrow(net):
    figure = plots.plot_network_region(net, REGION, period=PERIOD)
    expected = [
        f"{node.base}/{node.cls or ''}"
        for node in net.nodes.values()
        if node.region in (None, REGION) and node.period == PERIOD
        for parent in node.parents
        if net.nodes[parent].period in (None, PERIOD)
    ]
    assert sorted(name for name, _ in of_kind(figure, "arrow")) == sorted(expected)
    # What comes from the period before is named in the box.
    notes = " ".join(text.get_text() for text in texts(figure))
    carried = [n for n in net.nodes.values() if n.period == PERIOD and n.region in (None, REGION)]
    carried = [n for n in carried if any(net.nodes[p].base == n.base and p != n.name for p in n.parents)]
    assert notes.count("↶ itself") == len({(n.base, n.cls) for n in carried})


def test_bars_are_the_exact_marginals(net):
    evidence = {SHOCK: "shock"}
    figure = plots.plot_network_region(net, REGION, period=PERIOD, evidence=evidence)
    table = marginals(net, evidence=evidence)
    widths = {}
    for axes in figure.axes:
        frames = dict(of_kind(figure, "box"))
        for state, bar in of_kind(figure, "bar"):
            for name, frame in frames.items():
                box = frame.get_bbox()
                if box.x0 <= bar.get_x() <= box.x1 and min(box.y0, box.y1) <= bar.get_y() <= max(
                    box.y0, box.y1
                ):
                    widths[name, state] = bar.get_width()
        assert axes.get_ylim()[0] > axes.get_ylim()[1]
    here = table[(table["period"] == PERIOD) & table["region"].isin(["", REGION])].rename(
        columns={"class": "cls"}
    )
    assert len(widths) >= len(here)
    full = widths["climate_shock/", "shock"]
    for row in here.itertuples():
        drawn = widths[f"{row.base}/{row.cls}", row.state]
        assert drawn == pytest.approx(full * row.probability, abs=1e-9)


def test_strips_of_a_bar_are_the_periods(net):
    figure = plots.plot_network_region(net, REGION, cls="ocean")
    table = marginals(net)
    collapse = [bar.get_width() for state, bar in of_kind(figure, "bar") if state == "collapse"]
    wanted = table[
        (table["node"].isin([f"deployment_mode__ocean__{REGION}__{p}" for p in PERIODS]))
        & (table["state"] == "collapse")
    ]["probability"].to_numpy()
    np.testing.assert_allclose(np.array(collapse) / collapse[0], wanted / wanted[0], rtol=1e-12)
    shown = f"{100 * wanted[0]:.0f}→{100 * wanted[-1]:.0f}"
    assert shown in [text.get_text() for text in texts(figure)]
    assert {name.partition("/")[2] for name, _ in of_kind(figure, "box")} == {"", "ocean"}


def test_evidence_and_interventions_are_marked_and_cut_arrows_left_out(net):
    evidence = {
        SHOCK: "shock",
        ACCEPTANCE: {"resistant": 0.9, "mixed": 0.3, "supportive": 0.0},
        "climate_ambition__near_term": "low",
    }
    do = {SUPPORT: "declining"}
    plain = plots.plot_network_region(net, REGION, period=PERIOD)
    figure = plots.plot_network_region(net, REGION, period=PERIOD, evidence=evidence, do=do)
    words = [text.get_text() for text in texts(figure)]
    for mark in ("SEEN: shock", "SOFT EVIDENCE", "SET: declining"):
        assert words.count(mark) == 1
        assert mark not in [text.get_text() for text in texts(plain)]
    lines = {name: (box.get_linewidth(), box.get_linestyle()) for name, box in of_kind(figure, "box")}
    assert lines["climate_shock/"][0] > 2 * lines["disturbance/"][0]
    assert lines["climate_shock/"][1] != lines["policy_support/"][1]
    assert lines["policy_support/"][0] == lines["climate_shock/"][0]
    assert "policy_support/" in [name for name, _ in of_kind(plain, "arrow")]
    assert "policy_support/" not in [name for name, _ in of_kind(figure, "arrow")]
    caption = " ".join(figure.get_supxlabel().split())
    assert "Also seen or set, not drawn: climate ambition, near term." in caption
    assert "seen or is hinted at (soft evidence), dashed where it is set (arrows into it are cut)" in caption
    assert_nothing_overlaps(figure)


def test_evidence_in_one_of_several_periods_names_the_period(net):
    figure = plots.plot_network_region(net, REGION, evidence={SHOCK: "shock"})
    assert "SEEN: shock, mid term" in [text.get_text() for text in texts(figure)]
    # The period of the evidence has its numbers too.
    assert any(text.get_text().count("→") == 2 for text in texts(figure))
    assert "numbers belong to near term, mid term, long term" in " ".join(figure.get_supxlabel().split())
    assert "cut in the periods set" in " ".join(figure.get_supxlabel().split())


def test_no_bar_runs_through_a_number(net):
    figure = plots.plot_network_region(net, REGION, evidence={SHOCK: "shock"})
    figure.draw_without_rendering()
    numbers = [text.get_window_extent() for text in texts(figure) if "→" in text.get_text()]
    bars = [bar.get_window_extent() for _, bar in of_kind(figure, "bar")]
    assert len(numbers) > 20
    for number in numbers:
        assert not any(
            bar.x1 > number.x0 + 0.5 and bar.x0 < number.x0 and bar.y0 < number.y1 and bar.y1 > number.y0
            for bar in bars
            if abs((bar.y0 + bar.y1) / 2 - (number.y0 + number.y1) / 2) < number.height / 2
        )
    assert_nothing_overlaps(figure)


def test_own_axes_are_drawn_into_with_smaller_text(net):
    mine = Figure(figsize=(4.0, 5.0))
    axes = mine.add_axes((0.0, 0.0, 1.0, 1.0))
    assert plots.plot_network_region(net, REGION, period=PERIOD, ax=axes) is mine
    assert max(text.get_fontsize() for text in texts(mine)) < 6.0
    assert mine.get_supxlabel() == ""
    assert_nothing_overlaps(mine)


def test_unknown_names_are_refused_together_with_a_suggestion(net):
    with pytest.raises(InputError) as caught:
        plots.plot_network_region(net, "north_amerika", period="midterm", cls=["ocean", "minerals"])
    message = str(caught.value)
    assert message.startswith("3 problems")
    for part in (
        "the network has no such region: got 'north_amerika'; allowed: north_america, open_ocean; "
        "did you mean 'north_america'?",
        "no such period: got 'midterm'",
        "did you mean 'mineral'?",
    ):
        assert part in message
    with pytest.raises(InputError, match=r"did you mean 'climate_shock__mid_term'"):
        plots.plot_network_region(net, REGION, evidence={"climate_shok__mid_term": "shock"})
    plain = network_from_tables({"a": ["n", "y"]}, {}, {"a": [0.5, 0.5]})
    with pytest.raises(InputError, match=r"no such region: got 'x'; allowed: \(none\)"):
        plots.plot_network_region(plain, "x")


def test_crowded_networks_with_long_names_and_arrows_back_to_the_region_stay_apart():
    # Ten global nodes at one depth, a class node that feeds its region, names wider than a box.
    roots = [f"root{i}" for i in range(10)]
    long = "incomprehensibilities_of_institutional_arrangements_between_administrations"
    states = {name: ["no", "yes"] for name in roots}
    states |= {
        "mid": ["a_state_whose_name_is_far_too_long_for_any_box", "b", "c"],
        "act": ["n", "y"],
        long: ["n", "y"],
    }
    parents = {"mid": roots[:4], "act": ["mid", "root9"], long: ["act", "root0", "mid"]}
    rng = np.random.default_rng(1)
    tables = {
        name: rng.dirichlet(np.ones(len(own)), size=[len(states[p]) for p in parents.get(name, ())])
        for name, own in states.items()
    }
    plain = network_from_tables(states, parents, tables)
    changes = {"mid": {"region": "here"}, "act": {"region": "here", "cls": "only"}, long: {"region": "here"}}
    nodes = [dataclasses.replace(node, **changes.get(name, {})) for name, node in plain.nodes.items()]
    figure = plots.plot_network_region(Network(nodes, plain.rules), "here")
    assert len(of_kind(figure, "box")) == 13
    assert len(of_kind(figure, "arrow")) == 9
    assert any(text.get_text().endswith("…") for text in texts(figure))
    assert_nothing_overlaps(figure)
    tops = {name: max(p.get_bbox().y0, p.get_bbox().y1) for name, p in of_kind(figure, "box")}
    assert tops["mid/"] < tops["act/only"] < tops[f"{long}/"]


def test_equal_networks_give_equal_pictures(net):
    from sinkrisk.plots.style import svg_text

    first, second = (svg_text(plots.plot_network_region(net, REGION, period=PERIOD)) for _ in range(2))
    assert first == second


def test_states_run_from_orange_to_blue_the_helping_end_blue(net):
    figure = plots.plot_network_region(net, REGION, period=PERIOD)
    colours = {state: to_hex(bar.get_facecolor()) for state, bar in of_kind(figure, "bar")}
    # `full` is the first state of deployment modes and `strengthening` the last of support; both help.
    assert colours["full"] == colours["strengthening"]
    assert colours["collapse"] == colours["declining"] != colours["full"]
