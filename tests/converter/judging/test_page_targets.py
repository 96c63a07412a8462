"""A target's report becomes a sentence, a table of operators and a few facts, whatever parts of it are there."""

import pytest

from converter.judging.page_targets import sheets
from converter.targets import compiler, cpu, edgetpu, gpu
from converter.targets.placement import Group
from converter.tflite.view import view
from edge_agent.bundle import GPU_FILE, read

OPERATORS = [
    {"index": 0, "code": "CONV_2D", "mapped": True, "status": "Mapped to Edge TPU", "reason": ""},
    {"index": 1, "code": "CONV_2D", "mapped": True, "status": "Mapped to Edge TPU", "reason": ""},
    {"index": 2, "code": "MEAN", "mapped": True, "status": "Mapped to Edge TPU", "reason": ""},
    {"index": 3, "code": "GELU", "mapped": False, "status": "Operation not supported", "reason": "no such operator"},
]


def one(name, report):
    """The only sheet."""
    (sheet,) = sheets({name: report})
    return sheet


def test_operators_are_grouped_and_those_left_out_come_first():
    """A network of sixty convolutions has one row for them."""
    sheet = one("edgetpu", {"operators": OPERATORS})
    assert sheet.lead == "3 of 4 operators would run on the Edge TPU."
    assert sheet.groups == (
        Group("GELU", 1, mapped=False, status="Operation not supported", reason="no such operator"),
        Group("CONV_2D", 2, mapped=True, status="Mapped to Edge TPU", reason=""),
        Group("MEAN", 1, mapped=True, status="Mapped to Edge TPU", reason=""),
    )


def test_a_file_that_would_be_refused_says_so_before_all_else():
    """Single operators don't matter then."""
    sheet = one("edgetpu", {"operators": OPERATORS, "refusal": "Model not quantized"})
    assert sheet.lead == "The whole file would be refused: Model not quantized."


def test_what_the_compiler_did_counts_more_than_what_was_foretold():
    """Its own words replace the forecast, its file the command that would make one."""
    made = {
        "mapped": [True, True, False, False],
        "statuses": [
            {"code": "CONV_2D", "count": 2, "status": "Mapped to Edge TPU"},
            {"code": "MEAN", "count": 1, "status": "More than one subgraph is not supported"},
        ],
        "on_chip_bytes": 3 * 2**20,
        "off_chip_bytes": 0,
    }
    sheet = one("edgetpu", {"operators": OPERATORS, "command": "edgetpu_compiler model.tflite", "compiled": made})
    assert sheet.lead == "2 of 4 operators run on the Edge TPU."
    mean = next(group for group in sheet.groups if group.code == "MEAN")
    assert not mean.mapped
    assert mean.status == "More than one subgraph is not supported"
    assert mean.reason
    assert sheet.command == ""
    assert dict(sheet.facts)["parameters on the chip, as compiled"] == "3 MiB"
    assert sheet.hint == "Found in the file that the compiler made."


def test_each_of_the_compilers_reasons_for_one_operator_is_shown_as_often_as_it_gives_it():
    """Three MEANs are left for two reasons: both stand there with their counts, the one foretold with its words."""
    foretold, other = "Operation not supported", "More than one subgraph is not supported"
    mean = {"code": "MEAN", "mapped": True, "status": "Mapped to Edge TPU", "reason": ""}
    operators = [{**mean, "mapped": False, "status": foretold, "reason": "no such operator"}, mean, mean, mean]
    statuses = [
        {"code": "MEAN", "count": 2, "status": other},
        {"code": "MEAN", "count": 1, "status": foretold},
        {"code": "MEAN", "count": 1, "status": "Mapped to Edge TPU"},
    ]
    made = {"mapped": [False, True, False, False], "statuses": statuses}
    assert one("edgetpu", {"operators": operators, "compiled": made}).groups == (
        Group("MEAN", 2, mapped=False, status=other, reason="the compiler gives no other reason"),
        Group("MEAN", 1, mapped=False, status=foretold, reason="no such operator"),
        Group("MEAN", 1, mapped=True, status="Mapped to Edge TPU", reason=""),
    )


def test_facts_are_readable():
    """Bytes and shares have units, names are words, and what has a place of its own is not there twice."""
    report = {
        "operators": OPERATORS,
        "operator_count": 4,
        "on_chip_estimate_bytes": 2**19,
        "on_chip_estimate_error": 0.063,
        "arena_bytes": 1500,
        "odd_thing": True,
        "nothing": None,
    }
    assert one("edgetpu", report).facts == (
        ("parameters on the chip, estimated", "0.5 MiB"),
        ("the estimate is off by up to", "6%"),
        ("arena", "1.5 kB"),
        ("odd thing", "yes"),
    )


@pytest.mark.parametrize("report", [{}, {"operators": []}])
def test_a_report_with_nothing_in_it_claims_nothing(report):
    """No "all 0 operators"."""
    sheet = one("npu", report)
    assert (sheet.title, sheet.lead, sheet.groups, sheet.facts) == ("npu", "", (), ())


def test_reports_of_real_targets_are_understood(converted):
    """The keys are those that the targets write: a sentence with all operators for each, and no bare key as a fact."""
    bundle = read(converted)
    model = view(bundle.model)
    reports = {
        "cpu": cpu.payload(cpu.of(model)),
        "edgetpu": edgetpu.payload(edgetpu.of(model)),
        "gpu": gpu.payload(gpu.report(bundle.variants[GPU_FILE])),
    }
    found = sheets(reports)
    assert [sheet.title for sheet in found] == ["Processor (CPU)", "Edge TPU (Coral)", "Graphics processor (GPU)"]
    for sheet, report in zip(found, reports.values(), strict=True):
        verb = "run on" if sheet.title == "Processor (CPU)" else "would run on"
        assert f"{len(report['operators'])} operators {verb}" in sheet.lead
    assert found[1].command.startswith(compiler.PROGRAM)
    assert {"parameters on the chip, estimated", "room on the chip", "result"} <= set(dict(found[1].facts))
