"""What a month costs, against examples that were reckoned by hand."""

import json
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from spotmill.cli import main
from spotmill.cost import report
from spotmill.cost.bill import Bill, Line, bill, monthly
from spotmill.cost.deployment import Deployment, Workload
from spotmill.cost.prices import PRICES, PriceError, PriceTable, load
from spotmill.cost.usage import SPOT, idle, together, working

TABLE = load()
TODAY = TABLE.looked_up
IDLE = Workload()
DOCUMENT = Path(__file__).parents[2] / "docs" / "cost.md"


def of(deployment: Deployment, workload: Workload = IDLE, today: date = TODAY, prices: PriceTable = TABLE) -> Bill:
    """Return the bill of a month."""
    return monthly(deployment, workload, prices, today)


def line(whole: Bill, sku: str) -> Line:
    """Return one item of a bill."""
    return next(line for line in whole.lines if line.sku == sku)


def priced(sku: str, quantity: str) -> Line:
    """Return what this much of one thing costs."""
    return bill({sku: Decimal(quantity)}, TABLE, Deployment(), TODAY).lines[0]


def test_an_idle_month() -> None:
    """The database: 730 h x 0.0105 + 10 GiB x 0.17 + 1 GiB x 0.08; and 0.35 GiB of images more than is free, x 0.10."""
    whole = of(Deployment())
    assert whole.part("cloud-sql/") == Decimal("9.445")
    assert whole.usd == Decimal("9.480")
    assert line(whole, "cloud-sql/db-f1-micro").usd == Decimal("7.665")


def test_an_idle_month_of_a_stopped_database() -> None:
    """Disk, backups and images are paid for, and nothing else is used that is not free."""
    whole = of(Deployment(database_hours=Decimal(0)))
    assert whole.usd == Decimal("1.815")
    paid = {"artifact-registry/storage", "cloud-sql/ssd", "cloud-sql/backups"}
    assert {line.sku for line in whole.lines if line.usd} == paid
    assert not whole.later


def test_a_database_for_some_hours() -> None:
    """Eight hours on 20 days: 160 h x 0.0105, and as many ticks as minutes."""
    whole = of(Deployment(database_hours=Decimal(160)))
    assert whole.usd == Decimal("1.68") + Decimal("1.815")
    assert line(whole, "monitoring/alert-points").quantity == 160 * 60 * 2 * 11


def test_a_tick_is_counted_in_tenths_of_a_second() -> None:
    """0.31 s count as 0.4: in 30 days 43,200 ticks, 30 reconciles and 1,440 budget messages, on half a GiB."""
    whole = of(Deployment(tick_seconds=Decimal("0.31"), database_hours=Decimal(720)))
    assert line(whole, "cloud-run/requests").quantity == 44_670
    assert line(whole, "cloud-run/cpu").quantity == 17_868
    assert line(whole, "cloud-run/memory").quantity == 8_934


def test_ticks_leave_what_is_free_when_they_take_long() -> None:
    """From 4 s on they cost something: 45,290 x 4 s are above 180,000."""
    assert line(of(Deployment(tick_seconds=Decimal("3.9"))), "cloud-run/cpu").usd == 0
    slow = line(of(Deployment(tick_seconds=Decimal(4))), "cloud-run/cpu")
    assert slow.usd == (slow.quantity - 180_000) * Decimal("0.000024") > 0


@pytest.mark.parametrize(
    ("tier", "usd"),
    [
        ("db-g1-small", Decimal("25.55")),
        # 730 h x (2 x 0.0413 + 7.5 GiB x 0.007)
        ("db-custom-2-7680", Decimal("98.623")),
    ],
)
def test_other_tiers(tier: str, usd: Decimal) -> None:
    """Shared cores have a price, others are CPUs and memory; disk and backups come on top, a standby doubles."""
    assert of(Deployment(tier=tier)).part("cloud-sql/") == usd + Decimal("1.78")
    assert of(Deployment(tier=tier, regional=True)).part("cloud-sql/") == 2 * (usd + Decimal("1.70")) + Decimal("0.08")


def test_a_tier_that_is_none() -> None:
    """The error names those that there are."""
    with pytest.raises(PriceError, match=r"'db-n1-standard-1' is no tier .* db-custom-<CPUs>-<MiB>"):
        of(Deployment(tier="db-n1-standard-1"))


def test_workers() -> None:
    """3,600 images of a second, an hour of video at 1.5, 5 runs of 2 VMs that wait 0.1 h, 2 h besides: 5.5 h."""
    workload = Workload(images=3600, media_hours=Decimal(1), media_factor=Decimal("1.5"), runs=5, vm_hours=Decimal(2))
    whole = of(Deployment(), workload)
    vms = line(whole, SPOT)
    assert (vms.quantity, vms.usd) == (Decimal("5.5"), Decimal("5.5") * Decimal("0.04448"))
    assert line(whole, "compute/pd-balanced").usd == Decimal("5.5") / 730 * 100 * Decimal("0.10")


def test_storage() -> None:
    """1,024 images of 8 MiB with results are 9.6 GiB, 10 others were there, 1 of models: 20.6, of which 5 are free."""
    workload = Workload(images=1024, storage_gib=Decimal(10))
    stored = line(of(Deployment(models_gib=Decimal(1)), workload), "cloud-storage/standard")
    assert (stored.quantity, stored.billed, stored.usd) == (Decimal("20.6"), Decimal("15.6"), Decimal("0.312"))


def test_downloads() -> None:
    """150 GiB, of which 100 are free."""
    assert line(of(Deployment(), Workload(downloads_gib=Decimal(150))), "cloud-storage/egress").usd == Decimal(6)


def test_a_way_to_the_internet_costs_only_if_there_is_one() -> None:
    """Cloud NAT: 10 VM-hours of gateway and address, 20 GiB of media."""
    workload = Workload(media_hours=Decimal(20), media_factor=Decimal("0.5"))
    assert of(Deployment(), workload).part("cloud-nat/") == 0
    nat = of(Deployment(external_ai=True), workload).part("cloud-nat/")
    assert nat == Decimal("0.014") + Decimal("0.05") + Decimal("0.9")


def test_builds_have_no_free_minutes() -> None:
    """Large machines have none: 4 x 15 min x 0.016."""
    assert line(of(Deployment(), Workload(builds=4)), "cloud-build/e2-highcpu-8").usd == Decimal("0.96")


@pytest.mark.parametrize("sku", [sku for sku, price in TABLE.prices.items() if price.free])
def test_free_parts_end_where_they_end(sku: str) -> None:
    """What is free costs nothing, and the next unit its price."""
    price = TABLE.price(sku)
    assert priced(sku, str(price.free)).usd == 0
    above = priced(sku, str(price.free + 1))
    assert (above.billed, above.usd) == (Decimal(1), price.usd)


def test_what_is_free_is_free_once() -> None:
    """The ticks' requests and the workload's count together."""
    workload = Workload(page_hours=Decimal(280))
    requests = line(of(Deployment(), workload), "cloud-run/requests")
    assert requests.quantity == line(of(Deployment()), "cloud-run/requests").quantity + 280 * 7200
    assert requests.billed == requests.quantity - 2_000_000 > 0


@given(
    st.builds(
        Workload,
        images=st.integers(0, 10**7),
        runs=st.integers(0, 1000),
        media_hours=st.decimals(0, 10**4, places=2),
        downloads_gib=st.decimals(0, 10**5, places=1),
        page_hours=st.decimals(0, 10**4, places=1),
    )
)
def test_work_never_makes_it_cheaper(workload: Workload) -> None:
    """More of anything costs at least as much, and nothing is negative."""
    more = replace(workload, images=workload.images + 1000, runs=workload.runs + 1)
    assert of(Deployment()).usd <= of(Deployment(), workload).usd <= of(Deployment(), more).usd
    assert all(line.usd >= 0 and line.billed >= 0 for line in of(Deployment(), workload).lines)


def test_alerts_cost_from_the_day_that_google_named() -> None:
    """11 metrics x 0.35 and 963,600 points x 0.50 a million; before, they are only told."""
    before, after = of(Deployment(), today=date(2027, 8, 31)), of(Deployment(), today=date(2027, 9, 1))
    later = Decimal("3.85") + Decimal("0.4818")
    assert sum(line.later_usd for line in before.later) == after.usd - before.usd == later
    assert not after.later
    assert "Not yet charged: alerts" in report.text(Deployment(), IDLE, TABLE, date(2027, 8, 31))
    assert "Not yet charged" not in report.text(Deployment(), IDLE, TABLE, date(2027, 9, 1))


def test_spot_prices() -> None:
    """A machine, one that always has a GPU, one with a GPU attached, and one with its disk."""
    assert TABLE.spot_hour("n2d-standard-4") == Decimal("0.04448")
    assert TABLE.spot_hour("g2-standard-4") == Decimal("0.07502") + Decimal("0.2862")
    assert TABLE.spot_hour("n1-standard-4", {"nvidia-tesla-t4": 2}) == Decimal("0.06383") + Decimal("0.383")
    assert TABLE.vm_hour("n2d-standard-4", 73) == Decimal("0.05448")


def test_a_gpu_that_the_machine_has_is_paid_once() -> None:
    """Terraform names the GPU of a G2 machine, too."""
    assert TABLE.spot_hour("g2-standard-4", {"nvidia-l4": 1}) == TABLE.spot_hour("g2-standard-4")


def test_unknown_machines() -> None:
    """The error names those that are known, also for an idle month."""
    with pytest.raises(PriceError, match=r"no machine type 'x9-huge'; it knows c3-standard-4, .* \(--prices FILE\)"):
        of(Deployment(machine_type="x9-huge"))
    with pytest.raises(PriceError, match="no GPU 'abacus'"):
        TABLE.spot_hour("n1-standard-4", {"abacus": 1})


def test_another_region() -> None:
    """Prices of one region are not told as those of another."""
    with pytest.raises(PriceError, match="for us-central1, us-east1, us-west1, not for europe-west1"):
        of(Deployment(region="europe-west1"))


def test_everything_that_can_be_used_has_a_price() -> None:
    """No workload meets a missing entry, and none is there for nothing."""
    busy = Workload(images=1, media_hours=Decimal(1), builds=1, downloads_gib=Decimal(1))
    used = {SPOT}
    for tier in ("db-f1-micro", "db-g1-small", "db-custom-1-3840"):
        deployment = Deployment(tier=tier, external_ai=True)
        used |= set(together(idle(deployment), working(deployment, busy)))
    assert used - {SPOT} == set(TABLE.prices)


def test_every_price_says_where_it_was_read() -> None:
    """A source, which is a page; never a date from after the look-up; names that tell items apart."""
    for sku, price in TABLE.prices.items():
        assert price.source is not None, sku
        assert price.source.startswith("https://"), sku
        assert price.as_of is None or price.as_of <= TABLE.looked_up, sku
    names = [price.name for price in TABLE.prices.values()]
    assert len(names) == len(set(names))
    assert all(machine.spot_usd < machine.on_demand_usd for machine in TABLE.machines.types.values())


def test_old_prices_are_told() -> None:
    """After 180 days the report warns."""
    half_a_year = TABLE.looked_up + timedelta(days=180)
    assert "WARNING" not in report.text(Deployment(), IDLE, TABLE, half_a_year)
    assert "WARNING: these prices were looked up 181 days ago" in report.text(
        Deployment(), IDLE, TABLE, half_a_year + timedelta(days=1)
    )


def test_the_report_says_what_the_budget_means() -> None:
    """The database alone is above the project's budget; stopped, it is not, and the report offers that."""
    running = " ".join(report.text(Deployment(), IDLE, TABLE, TODAY).split())
    assert "The database alone costs 9.45 USD a month, which is more than the project's budget of 5.00 USD" in running
    assert "(database.stopped = true): 1.82 USD a month are left" in running
    stopped = " ".join(report.text(Deployment(database_hours=Decimal(0)), IDLE, TABLE, TODAY).split())
    assert "The database is stopped" in stopped
    assert "more than the project's budget" not in stopped
    rich = report.text(Deployment(project_budget_usd=Decimal(50)), IDLE, TABLE, TODAY)
    assert "budget of" not in rich


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("usd: 0.0105", "usd: -1", r"prices\.cloud-sql/db-f1-micro\.usd: .*greater than or equal to 0"),
        ("unit: hour", "unti: hour", r"prices\..*\.unti: Extra inputs"),
        ("looked_up: 2026-11-22", "looked_up: soon", "looked_up: "),
        ("    source: https://cloud.google.com/sql/pricing", "", "must be marked unproven"),
        ("prices:", "prices: [", "no YAML"),
    ],
)
def test_a_wrong_table_is_refused(old: str, new: str, told: str, tmp_path: Path) -> None:
    """The error names the file and the entry."""
    text = PRICES.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(PriceError, match=told) as caught:
        load(path)
    assert "mine.yaml" in str(caught.value)


def test_the_command_takes_other_prices(tmp_path: Path) -> None:
    """``--prices`` replaces the table; without the file, a sentence says so."""
    path = tmp_path / "mine.yaml"
    path.write_text(PRICES.read_text(encoding="utf-8").replace("usd: 0.0105", "usd: 1"), encoding="utf-8")
    said = CliRunner().invoke(main, ["cost", "--prices", str(path), "--json"])
    assert json.loads(said.output)["usd"] == "731.815"
    missing = CliRunner().invoke(main, ["cost", "--prices", str(tmp_path / "none.yaml")])
    assert missing.exit_code == 1
    assert "none.yaml cannot be read: No such file" in missing.output


def test_the_command_for_programs() -> None:
    """JSON has every item with its source, and they add up."""
    words = [
        "cost",
        "--json",
        "--images",
        "5000",
        "--runs",
        "3",
        "--downloads-gb",
        "150",
        "--workers-type",
        "e2-standard-4",
    ]
    told = json.loads(CliRunner().invoke(main, words).output)
    assert sum(Decimal(item["usd"]) for item in told["items"]) == Decimal(told["usd"]) > Decimal(told["idle_usd"])
    vms = next(item for item in told["items"] if item["sku"] == SPOT)
    assert vms["usd_per_unit"] == "0.07735"
    assert "skypilot-catalog" in vms["source"]


def test_the_command_for_terraform() -> None:
    """``--hourly`` prints a number and nothing else: 0.04448 + 100 GiB x 0.10 / 730."""
    assert CliRunner().invoke(main, ["cost", "--hourly"]).output == "0.0582\n"
    assert CliRunner().invoke(main, ["cost", "--hourly", "--workers-disk-gb", "50"]).output == "0.0513\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--vm-hours", "many"], "'many' is not a number"),
        (["--storage-gb", "-1"], "-1 is not zero or more"),
        (["--downloads-gb", "nan"], "nan is not zero or more"),
        (["--database-hours", "731"], "731 is more than the 730 hours of a month"),
        (["--images", "1.5"], "'1.5' is not a valid integer"),
        (["--workers-type", "x9-huge"], "no machine type 'x9-huge'"),
        (["--region", "mars-north1"], "not for mars-north1"),
        (["--tier", "tiny"], "'tiny' is no tier"),
    ],
)
def test_wrong_options(words: list[str], told: str) -> None:
    """Each is refused with a sentence, without a traceback."""
    said = CliRunner().invoke(main, ["cost", *words])
    assert said.exit_code in (1, 2)
    assert told in said.output
    assert isinstance(said.exception, SystemExit)


def test_the_documentation_shows_the_report() -> None:
    """``docs/cost.md`` has what ``make cost`` prints, idle and stopped."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert report.text(Deployment(), IDLE, TABLE, TODAY) in text
    stopped = report.text(Deployment(database_hours=Decimal(0)), IDLE, TABLE, TODAY)
    assert stopped.partition("\n\nFree parts")[0] in text
