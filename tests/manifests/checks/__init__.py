"""Rules of manifests: pure functions over what an overlay renders, each of which tells what breaks it."""

from collections.abc import Sequence

from tests.manifests.checks import monitoring, network, pods, references, scaling, schemas, settings
from tests.manifests.objects import Check, Manifests

SHAPE = schemas.objects_have_known_fields_only
RULES: Sequence[Check] = (
    references.names_are_given_once,
    references.everything_is_in_one_namespace,
    references.workloads_select_their_pods,
    references.selectors_select,
    references.selectors_select_one_workload,
    references.probes_ask_at_declared_ports,
    references.services_lead_to_declared_ports,
    references.monitors_ask_at_declared_ports,
    references.routes_lead_somewhere,
    references.volumes_are_there_and_used,
    references.configuration_exists,
    pods.namespaces_demand_restricted_pods,
    pods.pods_are_restricted,
    pods.nobody_is_root,
    pods.volumes_are_bounded,
    pods.containers_are_restricted,
    pods.pods_get_nothing_of_kubernetes,
    pods.images_are_pinned,
    pods.resources_are_bounded,
    pods.probes_ask_the_right_questions,
    scaling.autoscalers_can_work,
    scaling.replicas_are_said,
    scaling.disruptions_are_bounded,
    scaling.replicas_are_spread,
    scaling.rollouts_leave_replicas,
    scaling.pods_have_time_to_end,
    settings.variables_are_settings,
    settings.settings_load,
    settings.both_services_share_their_settings_and_broker,
    settings.clouds_are_a_folder_that_can_change,
    settings.the_inventory_is_cloned_whole,
    settings.the_inventory_is_where_it_is_looked_for,
    settings.nothing_secret_is_in_the_open,
    network.policies_say_whom_and_where,
    network.somebody_may_ask,
    network.what_is_needed_passes,
    network.nothing_else_passes,
    monitoring.jobs_are_named_as_the_rules_want,
    monitoring.metrics_are_asked_for,
)
CHECKS: Sequence[Check] = (SHAPE, *RULES)


def findings(manifests: Manifests) -> list[str]:
    """Everything that is wrong, in sentences; rules are for objects that have the right shape."""
    return list(SHAPE(manifests)) or [finding for rule in RULES for finding in rule(manifests)]
