"""Faults are values, with the path of their key; no value that an operator may write means "faulty"."""

import pytest

from speaker.config import ConfigError
from speaker.config.fault import Fault, Faults
from tests.unit.config.test_load import HEAD, load


def refused(text: str) -> tuple[Fault, ...]:
    with pytest.raises(ConfigError) as caught:
        load(text)
    return caught.value.faults


def test_paths() -> None:
    """A fault of form, of sense and of a service each have the path of their key."""
    found = refused(
        HEAD
        + '[vip."vip-1.tld"]\naddresses = ["192.0.2.1", "no"]\nranks = ["near"]\n'
        + 'services = { "tcp/0x" = {} }\n'
    )
    vip = ("vip", "vip-1.tld")
    assert [fault.path for fault in found] == [
        (*vip, "addresses", 1, "ip"),
        (*vip, "ranks"),
        (*vip, "services", "tcp/0x"),
    ]
    assert str(found[0]).startswith('vip."vip-1.tld".addresses[1].ip: ')


def test_every_address_counts() -> None:
    """An address that is twice in the file is a fault, whichever it is and whatever else is one."""
    address = "127.255.255.254"
    found = refused(
        HEAD
        + "colour = 1\n"
        + f'[vip."a.tld"]\naddresses = ["{address}"]\n[vip."b.tld"]\naddresses = ["{address}"]\n'
    )
    assert ("vip", "b.tld", "addresses", 0) in [fault.path for fault in found]


def test_every_data_centre_counts() -> None:
    """A preference that lacks a data centre is a fault, whatever the data centre is called."""
    found = refused(
        '[node]\ndc = "?"\n[dc."?"]\nasn = 64699\n[dc.lyo1]\nasn = 64699\n'
        '[vip."a.tld"]\naddresses = ["192.0.2.1"]\nprefer = ["lyo1"]\n'
    )
    assert [fault.path for fault in found] == [("vip", "a.tld", "prefer")]


@pytest.mark.parametrize(
    "name", ["", " par2", "par2\\u001b[31m", "par2\\u009b", "par2\\u202e", "par2\\n"]
)
def test_names_of_data_centres(name: str) -> None:
    """A data centre's name that a terminal would act on, or nobody would see, is one fault; whoever names it has none."""
    found = refused(
        HEAD.replace('"par1"', f'"{name}"', 1) + f'[dc."{name}"]\nasn = 64699\n'
        f'[vip."a.tld"]\naddresses = ["192.0.2.1"]\nprefer = ["{name}", "par1", "lyo1"]\n'
    )
    assert [fault.path[0] for fault in found] == ["dc"]
    assert "is not a name; write printable text" in str(found[0])
    assert str(found[0]).isprintable()
    assert len(refused(f'[node]\ndc = "{name}"\n[dc."{name}"]\nasn = 64699\n')) == 1


def test_a_faulty_profile_is_one_fault() -> None:
    """Whoever names a profile that is faulty is not at fault for that, whatever the profile's name."""
    for name in ("near", '"a b"'):
        found = refused(
            HEAD + f'[policy]\nranks = ["near", "far"]\n[profile.{name}]\nprepends = -1\n'
            '[profile.far]\nprepends = 3\n[vip."a.tld"]\naddresses = ["192.0.2.1"]\n'
        )
        about = {fault.path[0] for fault in found}
        assert about == ({"profile"} if name == "near" else {"profile", "policy"})


def test_each_once() -> None:
    """A fault is collected once, in the order in which faults were found."""
    faults = Faults([Fault(("b",), "two")])
    faults.add(("a",), "one")
    faults.add(("b",), "two")
    assert [str(fault) for fault in faults] == ["b: two", "a: one"]
