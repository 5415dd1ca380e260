"""The fault matrix, row by row: which tests hold it. A row's own tests bear its number, test_01_… to test_47_….

The rows, with what the user gets, stand in ROWS; the tests of faults that were there before, and those that belong to
one module, in ELSEWHERE.
"""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

ROWS = {
    1: "the connection drops inside a literal",
    2: "BYE in mid-run",
    3: "the server sends a byte a second",
    4: "a stall, a half-open connection",
    5: "a name that does not resolve, a refusal, no greeting",
    6: "closed after some bytes, again and again",
    7: "OVERQUOTA, a suggested back-off time",
    8: "too many connections",
    9: "a wrong password",
    10: "a login refused with UNAVAILABLE",
    11: "a token expires in mid-run",
    12: "a keyring that is absent, locked, null or hanging",
    13: "a certificate of another name, expired, self-signed",
    14: "STARTTLS stripped, PREAUTH, an injected response",
    15: "kill -9 at any time",
    16: "SIGTERM, Ctrl-C",
    17: "the disk is full",
    18: "a folder that may not be written",
    19: "EIO, fsync fails",
    20: "out of file descriptors",
    21: "two runs at once",
    22: "a dead run's lock",
    23: "UIDVALIDITY changes",
    24: "the same UIDVALIDITY, UIDs used again",
    25: "UIDVALIDITY missing, 0, above 32 bits",
    26: "expunged while running",
    27: "OK without the body",
    28: "a body that is NIL, one that is empty",
    29: "one bad message in a chunk",
    30: "untagged data that nobody asked for",
    31: "a malformed response",
    32: "a literal that claims 4 GB",
    33: "a mailbox deleted or renamed in mid-run",
    34: r"\Noselect, \NonExistent",
    35: "names of mailboxes",
    36: "all mailboxes suddenly empty",
    37: "a mailbox of 1,000,000",
    38: "a message of 100 MB",
    39: "a state file torn, corrupt, from a newer version",
    40: "an .eml truncated or altered",
    41: "the archive of another account",
    42: "clock skew, DST, sleep",
    43: "a date that is bad, absent, 1601, 9999",
    44: "a parser process dies",
    45: "a parser hangs",
    46: "a report is interrupted",
    47: "stdout is closed",
}

ELSEWHERE = {
    5: ["cli/test_fetch_command.py::test_a_wrong_host_or_port_is_said"],
    11: [
        "oauth/test_tokens.py::test_11_a_token_that_ends_in_mid_run_is_refreshed_once_and_all_arrives",
        "oauth/test_tokens.py::test_11_a_token_that_cannot_be_refreshed_ends_the_run_with_4_and_the_command_to_run",
    ],
    12: [
        "test_credentials.py::test_each_failure_of_a_keyring_has_its_sentence",
        "test_credentials.py::test_a_keyring_that_hangs_is_left_after_a_while",
        "test_credentials.py::test_no_keyring_is_said",
    ],
    13: ["sources/test_imap.py::test_a_certificate_that_does_not_hold_is_refused_before_any_login"],
    14: [
        "sources/test_imap.py::test_a_server_without_starttls_gets_no_password",
        "test_fetch.py::test_a_preauthenticated_greeting_gets_no_starttls_and_no_password",
        "sources/test_tls.py::test_plain_text_behind_the_ok_of_starttls_is_refused",
        "sources/test_tls.py::test_what_is_said_before_tls_does_not_count_afterwards",
    ],
    16: [
        "cli/test_fetch_command.py::test_an_interrupt_stops_within_five_seconds_and_loses_nothing",
        "cli/test_fetch_command.py::test_an_interrupt_while_listing_waits_for_nobody",
    ],
    24: [
        "test_fetch.py::test_uids_that_are_used_again_cost_neither_the_old_mail_nor_the_new",
        "test_fetch.py::test_uids_used_again_are_noticed_though_all_the_numbers_are_as_before",
    ],
    25: ["test_fetch.py::test_a_strange_uidvalidity_is_lived_with"],
    37: ["test_huge_mailbox.py::test_a_mailbox_of_a_million_messages_is_listed_in_little_memory_and_short_lines"],
    39: ["archive/test_verify.py::test_whichever_bit_of_the_listing_flips_it_is_found"],
    40: [
        "archive/test_verify.py::test_damage_is_named_set_aside_and_fetched_again",
        "archive/test_verify.py::test_a_flipped_bit_is_found_by_reading_alone",
        "cli/test_verify_command.py::test_what_is_damaged_is_named_set_aside_and_there_again_after_the_next_fetch",
    ],
    43: [
        "parse/test_fixtures.py::test_a_reader_sees_what_the_fixture_says",
        "test_fetch.py::test_an_internal_date_that_cannot_be_is_unknown",
    ],
    44: ["test_workers.py::test_a_process_that_dies_costs_the_item_that_killed_it"],
    45: ["test_workers.py::test_an_item_that_hangs_costs_itself_alone"],
    46: [
        "report/test_folder.py::test_an_interrupted_report_leaves_the_old_one_intact",
        "report/test_folder.py::test_what_a_killed_run_left_is_swept_by_the_next",
    ],
    47: ["cli/test_report_command.py::test_a_reader_that_has_seen_enough_is_no_failure"],
}


def own_tests() -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for path in Path(__file__).parent.glob("test_*.py"):
        for name, row in re.findall(r"^def (test_(\d\d)_\w+)", path.read_text(), re.MULTILINE):
            found.setdefault(int(row), []).append(name)
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row:02}")
def test_a_row_has_a_test(row: int) -> None:
    tests = own_tests().get(row, []) + ELSEWHERE.get(row, [])
    assert tests, f"{row}, {ROWS[row]}"


def test_tests_elsewhere_are_where_the_table_says() -> None:
    for test in (test for tests in ELSEWHERE.values() for test in tests):
        path, _, name = test.partition("::")
        assert f"def {name}(" in (TESTS / path).read_text(), test


def test_no_test_bears_the_number_of_no_row() -> None:
    assert own_tests().keys() | ELSEWHERE.keys() <= ROWS.keys()
