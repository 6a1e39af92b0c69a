"""The inventory as it was: the bodies of any commit that a request asks for, by one of four parameters."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import partial
from typing import Final

from aiohttp import web

from api_service.domain.history import History, NoSuchVersionError, Version
from api_service.domain.inventory import Inventory
from api_service.http.bodies import Bodies
from api_service.http.links import Links
from api_service.http.problems import BadParametersError, NoSuchMomentError
from api_service.http.queries import TravelQuery
from api_service.http.remembered import Remembered
from api_service.http.schemas import ParameterProblem

type Load = Callable[[Version, History], Inventory]

# What a resource takes in memory: its JSON, its body or the list that it is in, twice; and what holds it.
_TIMES_A_TEXT: Final = 3
_BYTES_BESIDE_A_TEXT: Final = 1000


class Past:
    """The bodies of commits that are not, or need not be, the one that is served; their links lead to that commit."""

    def __init__(self, load: Load, links: Links, remembered: Remembered) -> None:
        """Loads nothing yet.

        Args:
            load: Reads a commit of a history; called in a thread.
            links: Of the present.
            remembered: Where commits, and what is made of them, are made and kept.
        """
        self._load = load
        self._links = links
        self.remembered = remembered
        self._present: Inventory | None = None

    async def at(self, version: Version, present: Inventory) -> Bodies:
        """The bodies of `version`, which the history of `present` knows.

        Raises:
            InventoryRefusedError: it cannot be read, or holds too much.
            TooBusyError: too many others are asked for.
        """
        if present is not self._present:
            # Another inventory may have another past, and whatever it shares with this one is in memory.
            self.remembered.forget()
            self._present = present
        make = partial(self._made, version, present)
        return await self.remembered.get(("commit", version.uid), make, _weight)

    def _made(self, version: Version, present: Inventory) -> Bodies:
        same = version.uid == present.version
        inventory = present if same else self._load(version, present.history)
        return Bodies(inventory, self._links.pinned(version.uid))


PAST: Final = web.AppKey("past", Past)


def version_asked(history: History, query: TravelQuery) -> Version | None:
    """The commit that `query` asks for; None if it does not ask for one.

    Raises:
        BadParametersError: it asks in two ways at once.
        NoSuchMomentError: there is no such commit.
    """
    given = query.given()
    if len(given) > 1:
        raise exclusive(given)
    for name, value in given.items():
        return version_named(history, name, value)
    return None


def exclusive(names: Collection[str]) -> BadParametersError:
    """For parameters that each ask for a commit, of which one alone may be given."""
    detail = f"{', '.join(names)} exclude each other: give one of them"
    return BadParametersError([ParameterProblem(name=name, detail=detail) for name in names])


def version_named(history: History, name: str, value: str | int | datetime) -> Version:
    """The commit that the parameter `name` asks for.

    Raises:
        NoSuchMomentError: there is none.
    """
    try:
        return _resolved(history, name, value)
    except NoSuchVersionError as error:
        detail = str(error) if history.head else "the inventory is not kept in git, so there are no versions of it"
        raise NoSuchMomentError.of(name, detail) from error


def _resolved(history: History, name: str, value: str | int | datetime) -> Version:
    match name, value:
        case "branch", str():
            return history.of_branch(value)
        case _, str():
            return history.known(value)
        case _, int():
            return history.at(datetime.fromtimestamp(value, UTC))
        case _, datetime():
            return history.at(value)
        case _:
            raise AssertionError(name)


def _weight(bodies: Bodies) -> int:
    return sum(_TIMES_A_TEXT * len(each.text) + _BYTES_BESIDE_A_TEXT for each in bodies.inventory.written())
