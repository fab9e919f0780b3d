"""`aiqleads models`: every command against a real registry, with a replica that follows it."""

from __future__ import annotations

import asyncio
import getpass
import json
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from typer.testing import CliRunner, Result

from engine.adapters.model_store import ModelStore
from engine.adapters.postgres import model_registry, shadow_scores
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.shadow_scores import ShadowScore
from engine.rollout.roles import Version
from engine.settings import Settings
from models_ml import bundle
from models_ml.recommend import model as recommender
from models_ml.recommend.settings import STARTING
from serve_apps.cli.app import app
from tests.serve_apps.scoring.small_model import enter, small_bundle
from tests.serve_apps.scoring.thread_replica import RealReplica, SmallReplica, in_thread

TABLES = (
    "model_versions, model_roles, model_changes, model_replicas, model_watch, shadow_scores,"
    " model_days, model_evaluations, fraud_labels"
)
Command = Callable[..., Result]


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=database_url, data_dir=tmp_path / "var")


@pytest.fixture
def models(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs `aiqleads models ...` for an installation with an empty registry."""
    monkeypatch.setenv("AIQLEADS_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("AIQLEADS_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("COLUMNS", "300")
    in_registry(settings, lambda pool: pool.execute(f"TRUNCATE {TABLES} RESTART IDENTITY"))

    def run(*arguments: object, code: int = 0) -> Result:
        done = CliRunner().invoke(app, ["models", *map(str, arguments)])
        assert done.exit_code == code, done.output
        assert "Traceback" not in done.output
        return done

    return run


def in_registry(settings: Settings, work: Callable[[asyncpg.Pool], Any]) -> Any:
    async def run() -> Any:
        pool = await open_pool(settings.database_url, application="tests", size_max=1)
        try:
            return await work(pool)
        finally:
            await pool.close()

    return asyncio.run(run())


def answered(done: Result) -> Any:
    return json.loads(done.stdout)


def recommending(told: str, **metrics: float) -> bytes:
    """A real bundle of the smallest model."""
    metadata = recommender.Metadata(trained_on=told, training_sha256=f"of {told}", metrics=metrics)
    return recommender.packed(STARTING, metadata)


def store(settings: Settings) -> ModelStore:
    return ModelStore((settings.data_dir / "models").as_uri())


def entered(settings: Settings, *contents: bytes) -> list[Version]:
    """Small models as versions of `fraud`."""

    async def run(pool: asyncpg.Pool) -> list[Version]:
        return [await enter(pool, store(settings), content) for content in contents]

    found: list[Version] = in_registry(settings, run)
    return found


def file_of(version: Version) -> Path:
    return Path(version.url.removeprefix("file://"))


def registered(models: Command, tmp_path: Path, *told: str) -> None:
    for each in told:
        file = tmp_path / f"{each}.model"
        file.write_bytes(recommending(each, ndcg_20=0.1))
        models("register", "recommender", file)


def live(models: Command, name: str = "fraud") -> int | None:
    versions = answered(models("list", name, "--json"))
    return next((each["version"] for each in versions if each["role"] == "live"), None)


def test_a_bundle_becomes_a_version_that_tells_where_it_comes_from(
    models: Command, tmp_path: Path
) -> None:
    file = tmp_path / "mine.model"
    file.write_bytes(recommending("my buyers", ndcg_20=0.31))
    first = answered(models("register", "recommender", file, "--note", "mine", "--json"))
    again = answered(models("register", "recommender", file, "--json"))
    assert (first["version"], first["new"], again["version"], again["new"]) == (1, True, 1, False)
    (found,) = answered(models("list", "--json"))
    assert (found["name"], found["version"], found["role"]) == ("recommender", 1, None)
    assert (found["training_sha256"], found["metrics"]) == ("of my buyers", {"ndcg_20": 0.31})
    assert found["made_by"] == f"{getpass.getuser()} (command line)"
    assert (found["note"], found["sha256"]) == ("mine", first["sha256"])
    assert "mine" in models("list").stdout
    (line,) = answered(models("history", "recommender", "--json"))
    assert (line["action"], line["to_version"]) == ("train", 1)
    assert "train" in models("history", "recommender").stdout


class Harm:
    """What a pickle does when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was read",))


def _other_schema() -> bytes:
    parts = bundle.unpack(recommending("x"), 1_000_000)
    told = json.loads(parts[recommender.SETTINGS_PART])
    told["schema"] += 1
    return bundle.pack({**parts, recommender.SETTINGS_PART: json.dumps(told).encode()})


def _other_example() -> bytes:
    parts = bundle.unpack(recommending("x"), 1_000_000)
    told = json.loads(parts[recommender.EXAMPLE_PART])
    told["scores"][0] += 1
    return bundle.pack({**parts, recommender.EXAMPLE_PART: json.dumps(told).encode()})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pickle.dumps(Harm()), "no bundle"),
        (bundle.pack({"model.pkl": pickle.dumps(Harm())}), "its parts must be"),
        (recommending("x")[:-20], "no bundle"),
        (b"", "no bundle"),
        (_other_schema(), "made for schema"),
        (_other_example(), "the known example scores otherwise"),
    ],
)
def test_what_would_not_serve_is_not_registered(
    models: Command, tmp_path: Path, content: bytes, reason: str
) -> None:
    file = tmp_path / "bad.model"
    file.write_bytes(content)
    done = models("register", "recommender", file, code=1)
    assert reason in done.stderr
    assert answered(models("list", "--json")) == []


def test_roles_go_from_hand_to_hand(models: Command, settings: Settings) -> None:
    entered(settings, *(small_bundle(number / 10) for number in (1, 2, 3, 4)))
    with in_thread(SmallReplica, settings) as replica:
        said = models("promote", "fraud", 1, "--reason", "the first").stderr
        assert "none → 1" in said
        assert "1 replica follows" in said
        models("promote", "fraud", 2)
        done = answered(models("canary", "fraud", 3, "--share", "0.2", "--json"))
        assert (done["change"]["to_version"], done["change"]["share"]) == (3, 0.2)
        assert [each["canary"] for each in done["following"]] == [3]
        models("shadow", "fraud", 4)
        serves = replica.service("fraud").roles(0)
        assert (serves.live, serves.canary, serves.share, serves.shadow) == (2, 3, 0.2, 4)
        models("shadow", "fraud", "--off")
        models("canary", "fraud", "--off")
        models("rollback", "fraud")
        serves = replica.service("fraud").roles(0)
        assert (serves.live, serves.canary, serves.shadow) == (1, None, None)
    models("retire", "fraud", 4, "--reason", "no better")
    (newest, *_) = answered(models("list", "fraud", "--json"))
    assert newest["retired_at"] is not None
    history = answered(models("history", "fraud", "--json"))
    assert [each["action"] for each in history[:2]] == ["retire", "rollback"]
    assert history[0]["reason"] == "no better"
    assert "no replica serves" in models("promote", "fraud", 2).stderr


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["promote", "fraud", 9], 1, "there is no version 9"),
        (["promote", "fraud", 1], 1, "version 1 is live already"),
        (["promote", "fraud", 0], 2, "greater than or equal to 1"),
        (["promote", "price", 1], 2, "price"),
        (["rollback", "fraud"], 1, "no usable version was live before version 1"),
        (["rollback", "fraud", 2], 1, "version 2 is not live"),
        (["rollback", "fraud", "--role", "canary"], 1, "no version is canary"),
        (["retire", "fraud", 1], 1, "version 1 is live; promote another first"),
        (["retire", "fraud", 9], 1, "there is no version 9"),
        (["canary", "fraud", 2, "--share", "0.51"], 2, "less than or equal to 0.5"),
        (["canary", "fraud", 2, "--share", "0"], 1, "above 0 and at most 0.5"),
        (["canary", "fraud", 2, "--share", "nan"], 2, "less than or equal to 0.5"),
        (["canary", "fraud", 1], 1, "version 1 is live already"),
        (["canary", "fraud"], 2, "name a version"),
        (["canary", "fraud", "--off"], 1, "no version is canary"),
        (["canary", "embedder", 1], 1, "make it the shadow"),
        (["shadow", "fraud", 2, "--off"], 2, "name a version, or give --off"),
        (["shadow", "recommender", 1], 1, "there is no version 1"),
        (["compare", "fraud", 1, 9], 1, "fraud has no version 9"),
        (["evaluate", "fraud", 9], 1, "fraud has no version 9"),
        (["evaluate", "advertiser"], 1, "no version of advertiser is live"),
        (["drift", "advertiser"], 1, "no version of advertiser is live"),
    ],
)
def test_what_can_not_be_is_said_and_changes_nothing(
    models: Command, settings: Settings, arguments: list[object], code: int, reason: str
) -> None:
    entered(settings, small_bundle(0.1), small_bundle(0.2))
    models("promote", "fraud", 1)
    before = answered(models("list", "--json"))
    assert reason in models(*arguments, code=code).output
    assert answered(models("list", "--json")) == before


def test_a_retired_version_comes_not_back(models: Command, settings: Settings) -> None:
    entered(settings, small_bundle(0.1), small_bundle(0.2))
    models("promote", "fraud", 1)
    models("retire", "fraud", 2)
    for action in (("promote",), ("canary",), ("shadow",), ("retire",)):
        assert "version 2 is retired" in models(*action, "fraud", 2, code=1).stderr


def _cut(version: Version) -> None:
    file_of(version).write_bytes(file_of(version).read_bytes()[:-9])


def _changed(version: Version) -> None:
    content = file_of(version).read_bytes()
    file_of(version).write_bytes(content.replace(b"0.9", b"0.8"))


def _untouched(_: Version) -> None:
    """What was registered is bad enough."""


@pytest.mark.parametrize("role", ["promote", "canary", "shadow"])
@pytest.mark.parametrize(
    ("content", "harm", "reason"),
    [
        (small_bundle(0.9), _cut, "bytes instead of"),
        (small_bundle(0.9), _changed, "it was changed"),
        (small_bundle(0.9, example=0.5), _untouched, "its known example is"),
        (small_bundle(0.9, check_seconds=0.2), _untouched, "too slow"),
        (pickle.dumps(Harm()), _untouched, "no bundle"),
    ],
)
def test_what_can_not_be_used_is_refused_and_the_old_version_stays(
    models: Command,
    settings: Settings,
    content: bytes,
    harm: Callable[[Version], None],
    reason: str,
    role: str,
) -> None:
    _, bad = entered(settings, small_bundle(0.1), content)
    models("promote", "fraud", 1)
    harm(bad)
    with in_thread(SmallReplica, settings) as replica:
        done = models(role, "fraud", 2, code=1)
        assert "refused: " in done.stderr
        assert reason in done.stderr
        serves = replica.service("fraud").roles(0)
        assert (serves.live, serves.canary, serves.shadow) == (1, None, None)
    assert live(models) == 1
    (line, *_) = answered(models("history", "fraud", "--json"))
    assert (line["action"], line["from_version"]) == ("refused", 2)
    assert reason in line["reason"]
    assert line["changed_by"].startswith("replica ")


def test_the_first_version_of_all_is_refused_too(models: Command, settings: Settings) -> None:
    (bad,) = entered(settings, small_bundle(0.9))
    _cut(bad)
    with in_thread(SmallReplica, settings):
        done = models("promote", "fraud", 1, code=1)
        assert "no version is live" in done.stderr
    assert live(models) is None


def test_features_of_another_schema_are_refused_by_a_real_replica(
    models: Command, settings: Settings, tmp_path: Path
) -> None:
    registered(models, tmp_path, "first")

    async def enter_other(pool: asyncpg.Pool) -> None:
        # As a program of another time registered it.
        url, sha256 = store(settings).put("recommender", _other_schema())
        (known,) = await model_registry.versions(pool, "recommender")
        size = len(_other_schema())
        made = msgspec.structs.replace(known, url=url, sha256=sha256, size_bytes=size)
        await model_registry.register(pool, made)

    in_registry(settings, enter_other)
    models("promote", "recommender", 1)
    with in_thread(RealReplica, settings) as replica:
        done = models("promote", "recommender", 2, code=1)
        assert "made for schema" in done.stderr
        assert replica.service("recommender").roles(0).live == 1
    assert live(models, "recommender") == 1


def test_a_file_that_is_not_there_is_waited_for(models: Command, settings: Settings) -> None:
    _, lost = entered(settings, small_bundle(0.1), small_bundle(0.2))
    models("promote", "fraud", 1)
    content = file_of(lost).read_bytes()
    file_of(lost).unlink()
    with in_thread(SmallReplica, settings) as replica:
        done = models("promote", "fraud", 2, "--wait", "1", code=3)
        assert "does not follow yet: version 2 as live" in done.stderr
        assert "is not there" in done.stderr
        assert replica.service("fraud").roles(0).live == 1
        file_of(lost).write_bytes(content)
        # Any change makes it look again.
        models("shadow", "fraud", 1)
        assert replica.service("fraud").roles(0).live == 2


def test_of_two_operators_at_once_each_is_told_what_came_of_it(
    models: Command, settings: Settings
) -> None:
    entered(settings, *(small_bundle(number / 10) for number in (1, 2, 3)))
    models("promote", "fraud", 1)
    wanted = [["promote", "fraud", "2", "--json"], ["promote", "fraud", "3", "--json"]]
    # Not the runner: it takes over the process' standard output.
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(_in_own_process, wanted))
    changes = sorted((json.loads(each)["change"] for each in done), key=lambda c: c["change_id"])
    # One after the other, in some order: the later one knows of the earlier.
    assert changes[0]["from_version"] == 1
    assert changes[1]["from_version"] == changes[0]["to_version"]
    assert live(models) == changes[1]["to_version"]


def _in_own_process(arguments: list[str]) -> str:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "serve_apps.cli", "models", *arguments],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout


def test_a_rollback_of_a_named_version_takes_back_no_other(
    models: Command, settings: Settings
) -> None:
    entered(settings, *(small_bundle(number / 10) for number in (1, 2, 3)))
    models("promote", "fraud", 1)
    models("promote", "fraud", 2)
    models("canary", "fraud", 3)
    # Both operators saw the canary do badly; the second one must not take the live one too.
    models("rollback", "fraud", 3)
    assert "version 3 is not live" in models("rollback", "fraud", 3, code=1).stderr
    assert live(models) == 2
    models("rollback", "fraud", 2)
    assert live(models) == 1


def test_two_versions_are_compared_by_what_both_scored(models: Command, settings: Settings) -> None:
    entered(settings, small_bundle(0.1), small_bundle(0.2))
    models("promote", "fraud", 1)
    models("shadow", "fraud", 2)
    assert "no lead was scored by both" in models("compare", "fraud", 1, 2).stdout
    scores = [ShadowScore(f"lead {n}", 0.2 if n else 0.9, 1, 0.1) for n in range(10)]
    in_registry(settings, lambda pool: shadow_scores.write(pool, "fraud", 2, scores))
    for order in ((1, 2), (2, 1)):
        beside = answered(models("compare", "fraud", *order, "--json"))["shadow"]
        assert (beside["version"], beside["leads"], beside["far_apart"]) == (2, 10, 1)
        assert beside["mean_difference"] == pytest.approx(0.17)
        assert beside["furthest"][0] == {"subject": "lead 0", "shadow": 0.9, "live": 0.1}
    assert "on 10 leads" in models("compare", "fraud", 1, 2).stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["history", "fraud"],
        ["promote", "fraud", "1"],
        ["rollback", "fraud"],
        ["retire", "fraud", "1"],
        ["compare", "fraud", "1", "2"],
        ["drift", "fraud"],
        ["evaluate", "fraud", "1"],
        ["train", "advertiser", "--train", "."],
    ],
)
def test_without_an_installation_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setenv("AIQLEADS_DATA_DIR", str(tmp_path / "none"))
    monkeypatch.delenv("AIQLEADS_DATABASE_URL", raising=False)
    for url in ("", "postgresql://nobody@127.0.0.1:1/none"):
        monkeypatch.setenv("AIQLEADS_DATABASE_URL", url)
        done = CliRunner().invoke(app, ["models", *arguments])
        assert done.exit_code == 1
        assert "aiqleads status" in done.stderr
        assert "Traceback" not in done.output
