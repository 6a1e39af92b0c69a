"""The two services as users run them, against a real Keystone and Blazar: the cases of the simulated cloud."""

from tests.e2e.test_pair import (
    test_a_fault_of_a_site_leaves_its_last_good_state_with_its_age_and_the_other_sites_alone,
    test_a_lease_is_seen_on_every_replica_after_the_next_poll_and_so_is_its_end,
    test_bookings_that_overlap_or_touch_are_one_and_a_host_that_nobody_knows_is_nowhere,
    test_both_stop_in_good_order_even_while_a_poll_hangs,
    test_every_link_that_can_be_reached_from_the_root_answers,
    test_flavors_are_published_over_time,
    test_killing_the_sync_service_changes_nothing_but_the_age_and_a_fresh_replica_has_everything,
    test_maintenance_and_what_blazar_does_not_list_are_never_shown_as_free,
    test_the_two_replicas_of_the_sync_service_share_the_sites_and_one_takes_over_from_the_other,
)
from tests.e2e.test_secrets import test_no_secret_and_nobodys_name_is_in_any_log_or_answer

__all__ = [
    "test_a_fault_of_a_site_leaves_its_last_good_state_with_its_age_and_the_other_sites_alone",
    "test_a_lease_is_seen_on_every_replica_after_the_next_poll_and_so_is_its_end",
    "test_bookings_that_overlap_or_touch_are_one_and_a_host_that_nobody_knows_is_nowhere",
    "test_both_stop_in_good_order_even_while_a_poll_hangs",
    "test_every_link_that_can_be_reached_from_the_root_answers",
    "test_flavors_are_published_over_time",
    "test_killing_the_sync_service_changes_nothing_but_the_age_and_a_fresh_replica_has_everything",
    "test_maintenance_and_what_blazar_does_not_list_are_never_shown_as_free",
    "test_no_secret_and_nobodys_name_is_in_any_log_or_answer",
    "test_the_two_replicas_of_the_sync_service_share_the_sites_and_one_takes_over_from_the_other",
]
