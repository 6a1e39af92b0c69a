"""The filters of a search as the domain has them, and what is told of those that nobody can answer."""

from collections.abc import Callable

from pydantic import BaseModel

from api_service.domain.node_conditions import ONE_VALUE, Condition, Suffix, UnfitConditionError, UnknownFieldsError
from api_service.domain.node_fields import ALIASES, OWN_FIELDS
from api_service.domain.node_index import NodeIndex
from api_service.domain.node_query import NodeQuery
from api_service.http.problems import BadParametersError, did_you_mean, parameter_problem, unknown_parameter
from api_service.http.queries import MAX_CONDITIONS, MAX_LENGTH, NodeFilters
from api_service.http.schemas import ParameterProblem
from api_service.http.values import MAX_VALUES
from shared.availability import AvailabilityState, Interval


def node_query(query: NodeFilters, window: Interval | None = None) -> NodeQuery:
    """The filters as the domain has them: those of a search, which select the nodes of plans too.

    Args:
        query: What was asked.
        window: In which a node must be reservable throughout.

    Raises:
        BadParametersError: a condition cannot be meant so, whatever the nodes have.
    """
    return NodeQuery(
        site_ids=_any(query.site_id),
        cluster_ids=_any(query.cluster_id),
        node_types=_any(query.node_type),
        archs=_any(query.arch),
        gpu=_any(query.gpu),
        infiniband=_any(query.infiniband),
        min_ram=min(query.min_ram) if query.min_ram else None,
        conditions=_conditions(query.model_extra or {}),
        words=tuple((query.q or "").casefold().split()),
        states=_states(query, window),
        window=window,
    )


def _states(query: NodeFilters, window: Interval | None) -> frozenset[AvailabilityState] | None:
    """The states that a node may have now."""
    now = _any(query.availability_now)
    if query.availability is None:
        return now
    if window is None:
        asked = frozenset(query.availability)
        return asked if now is None else asked & now
    if AvailabilityState.AVAILABLE not in query.availability:
        detail = "between start and end every node that is found is available; availability_now asks for the state now"
        raise BadParametersError.of("availability", detail)
    return now


def _any[V](values: list[V] | None) -> frozenset[V] | None:
    return None if values is None else frozenset(values)


def _conditions(asked: dict[str, list[str]]) -> tuple[Condition, ...]:
    if len(asked) > MAX_CONDITIONS:
        raise BadParametersError.of(min(asked), f"{MAX_CONDITIONS} fields may be asked for in one request")
    found = tuple(Condition.of(name, values) for name, values in sorted(asked.items()))
    if wrong := [problem for each in found if (problem := _wrong(each))]:
        raise BadParametersError(wrong[:20])
    return found


def _wrong(condition: Condition) -> ParameterProblem | None:
    values = condition.values
    if len(values) > 1 and condition.suffix in ONE_VALUE:
        return parameter_problem(condition.name, "may be given once only")
    if len(values) > MAX_VALUES:
        return parameter_problem(condition.name, f"may be given {MAX_VALUES} times at most")
    if max(map(len, values)) > MAX_LENGTH:
        return parameter_problem(condition.name, f"a value has {MAX_LENGTH} characters at most")
    # What contains or begins with nothing would be any text.
    if "" in values and condition.suffix not in {Suffix.EQUALS, Suffix.NOT}:
        return parameter_problem(condition.name, "needs a value")
    return None


def explained[R](model: type[BaseModel], index: NodeIndex, work: Callable[[], R]) -> Callable[[], R]:
    """`work`, of which the client is told what was wrong with its fields, with the nearest that there are.

    Args:
        model: Of the query string.
        index: Of the nodes that are asked.
        work: May raise what conditions do.
    """

    def do() -> R:
        try:
            return work()
        except UnfitConditionError as error:
            raise BadParametersError.of(error.name, str(error)) from error
        except UnknownFieldsError as error:
            raise BadParametersError(
                [_unknown(parameter, field, model, index) for parameter, field in error.asked[:20]]
            ) from error

    return do


def _unknown(parameter: str, field: str, model: type[BaseModel], index: NodeIndex) -> ParameterProblem:
    if parameter != field:
        hint = did_you_mean(field.removeprefix("-"), {*index.names, *OWN_FIELDS, *ALIASES})
        return parameter_problem(parameter, f"no node has a field {field:.100}; {hint}")
    head, _, suffix = field.rpartition("__")
    if head in index.names:
        suffixes = ", ".join(f"__{each}" for each in Suffix if each)
        return parameter_problem(parameter, f"there is no suffix __{suffix:.100}; there are {suffixes}")
    if head and suffix in Suffix:
        hint = did_you_mean(head, index.names, more=f"__{suffix}")
        return parameter_problem(parameter, f"no node has a field {head:.100}; {hint}")
    return unknown_parameter(parameter, model.model_fields.keys(), index.names)
