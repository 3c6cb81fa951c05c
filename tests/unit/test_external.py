"""A cluster that somebody else runs: used by URL, never started, stopped or broken."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from lab_helpers.broker.management import ManagementAddress
from lab_helpers.cluster import Cluster
from lab_helpers.cluster.engine import Engine
from lab_helpers.cluster.engines.external import ExternalEngine
from lab_helpers.errors import LabsError, NotPossibleHereError
from lab_helpers.settings import Settings


def engine(
    amqp: str = "amqp://labs:pw@broker.example", management: str = "http://labs:pw@broker.example"
) -> ExternalEngine:
    return ExternalEngine(Settings(_env_file=None, amqp_url=amqp, management_url=management))


REFUSED: dict[str, Callable[[ExternalEngine], object]] = {
    "start": lambda engine: engine.start("rabbit@a"),
    "stop": lambda engine: engine.stop("rabbit@a"),
    "kill": lambda engine: engine.kill("rabbit@a"),
    "pause": lambda engine: engine.pause("rabbit@a"),
    "resume": lambda engine: engine.resume("rabbit@a"),
    "run rabbitmqctl on": lambda engine: engine.ctl("rabbit@a", "status"),
    "run rabbitmq-queues on": lambda engine: engine.run("rabbit@a", "rabbitmq-queues", "grow"),
    "put a HAProxy in front of": lambda engine: engine.open_door(Path("door.cfg")),
    "add to": lambda engine: engine.add_spare(""),
    "add a node to it": lambda engine: Cluster(engine).add(),
    "partition it": lambda engine: Cluster(engine).partition("rabbit@a"),
}


@pytest.mark.parametrize("operation", REFUSED)
def test_it_refuses_to_break_anything(operation: str) -> None:
    with pytest.raises(NotPossibleHereError) as caught:
        REFUSED[operation](engine())
    what = "" if operation.endswith(" it") else " its nodes"
    assert str(caught.value) == (
        f"This cluster is somebody else's, so the labs do not {operation}{what}. "
        "Nothing was done. To see this part live, run `labs up` on your own machine."
    )


def test_every_operation_is_either_refused_or_harmless() -> None:
    operations = {name for name, member in inspect.getmembers(Engine) if getattr(member, "__isabstractmethod__", False)}
    harmless = {"nodes", "create", "destroy", "process_state", "log", "amqp", "management", "statistics"}
    harmless |= {"redis", "end_redis", "end_spare", "close_door"}
    assert operations == harmless | {"start", "stop", "kill", "pause", "resume", "run", "add_spare", "open_door"}


def test_redis_is_what_the_settings_name() -> None:
    with pytest.raises(NotPossibleHereError, match="needs Redis") as caught:
        engine().redis()
    assert "LABS_REDIS_URL" in caught.value.remedy
    there = engine()
    there.settings.redis_url = "redis://:pw@cache.example:1/0"
    assert there.redis() == "redis://:pw@cache.example:1/0"


def test_what_would_end_a_cluster_of_ours_does_nothing() -> None:
    said: list[str] = []
    external = engine()
    external.create(said.append)
    external.destroy()
    Cluster(external).heal()
    assert said == ["Using the cluster at broker.example:5672"]
    assert external.log("rabbit@a") == ""
    assert external.statistics == ""
    assert not Cluster(external).is_ours


@pytest.mark.parametrize(
    ("url", "address", "scheme"),
    [
        ("amqp://labs:pw@broker.example:1234", "broker.example:1234", "amqp"),
        ("amqp://broker.example", "broker.example:5672", "amqp"),
        ("amqps://broker.example", "broker.example:5671", "amqps"),
        ("amqps://broker.example:1234/vhost?heartbeat=5", "broker.example:1234", "amqps"),
    ],
)
def test_the_amqp_url(url: str, address: str, scheme: str) -> None:
    external = engine(amqp=url)
    assert (external.amqp(), external.amqp("rabbit@a"), external.amqp_scheme) == (address, address, scheme)


def test_the_management_url() -> None:
    external = engine(management="https://la%40bs:p%2Fw@broker.example")
    address = ManagementAddress("https://broker.example:443", "la@bs", "p/w")
    assert external.management() == external.management("rabbit@a") == address


def test_clients_enter_by_a_url_of_the_same_scheme() -> None:
    cluster = Cluster(engine(amqp="amqps://broker.example"))
    assert cluster.amqp_url("04/x", "us@er", "p/w") == "amqps://us%40er:p%2Fw@broker.example:5671/04%2Fx"


@pytest.mark.parametrize(("amqp", "management"), [("", ""), ("amqp://h", ""), ("", "http://u:p@h")])
def test_both_urls_are_needed(amqp: str, management: str) -> None:
    with pytest.raises(LabsError, match="needs LABS_AMQP_URL and LABS_MANAGEMENT_URL") as caught:
        engine(amqp, management)
    assert "LABS_AMQP_URL=amqp://user:password@host:5672" in caught.value.remedy


@pytest.mark.parametrize("url", ["broker.example:5672", "http://broker.example", "amqp://", "amqp://:5672"])
def test_a_bad_amqp_url(url: str) -> None:
    with pytest.raises(LabsError, match="LABS_AMQP_URL is not of the form"):
        engine(amqp=url)


@pytest.mark.parametrize("url", ["broker.example", "amqp://u:p@h", "http://broker.example:15672"])
def test_a_bad_management_url(url: str) -> None:
    with pytest.raises(LabsError, match="LABS_MANAGEMENT_URL is not of the form"):
        engine(management=url)


@pytest.mark.parametrize("url", ["amqp://host:abc", "amqp://host:99999", "amqp://[::1"])
def test_a_bad_port_or_host_is_a_sentence(url: str) -> None:
    with pytest.raises(LabsError, match="LABS_AMQP_URL"):
        engine(amqp=url)


def test_an_address_of_ipv6() -> None:
    assert Cluster(engine(amqp="amqp://[::1]:5672")).amqp_url("v", "u", "p") == "amqp://u:p@[::1]:5672/v"
