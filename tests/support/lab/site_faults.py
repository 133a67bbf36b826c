"""Owns what each fault of a link, a member of etcd, a session or a certificate is at a whole site, and what heals it."""

from tests.support.lab.whole_site import WholeSite


def befall(site: WholeSite, what: str, one: str) -> None:
    """Carry out a step that breaks or heals something: `tests.support.site_steps` has what each is.

    Args:
        site: all of it.
        what: the step.
        one: the machine, place or member that it befalls.
    """
    match what:
        case "lone":
            site.part_from_router(one)
        case "peer":
            site.peer(one)
        case "expire":
            site.certify(one, days=-1)
        case "renew" | "replace":
            site.certify(one, days=30)
        case "kill" | "start" | "stop" | "continue":
            _turn_member(site, what, one)
        case _:
            _turn_link(site, what, one)


def _turn_link(site: WholeSite, what: str, one: str) -> None:
    trunks = site.fabric.trunks
    port = trunks[one] if one in trunks else site[one].port
    does = {"cut": port.cut, "part": port.cut, "deaf": port.deafen, "mute": port.mute}
    if what == "slow":
        trunks[one].slow()
    else:
        does.get(what, port.restore)()


def _turn_member(site: WholeSite, what: str, one: str) -> None:
    (member,) = (each for each in site.etcd.members if each.name == one)
    does = {
        "kill": member.kill,
        "start": member.start,
        "stop": member.pause,
        "continue": member.resume,
    }
    does[what]()
