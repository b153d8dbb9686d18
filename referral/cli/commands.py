"""Every command of `referral`: its name, its place, and the line that lists show."""

from __future__ import annotations

from referral.cli.lazy import Group, Named

POLICY_CALENDAR = (
    Named("refresh", "referral.cli.policy.calendar:refresh_command", "Write the calendar of the policy anew and print what is different."),
)
POLICY_DIRECTORY = (
    Named(
        "export",
        "referral.cli.policy.directory:export_command",
        "Write every agency as HSDS 3 (tabular JSON): never an address, a person, or where a shelter is.",
    ),
    Named(
        "import",
        "referral.cli.policy.directory:import_command",
        "Check a directory, say what it changes in the policy, and with --into write it; agencies that it does not name stay.",
    ),
)
OVERSIGHT_READER = (
    Named("add", "referral.cli.admin.oversight:add_command", "Make a token for the oversight pages."),
    Named("list", "referral.cli.admin.oversight:list_command", "Who has or had a token."),
    Named("end", "referral.cli.admin.oversight:end_command", "End every token of an office, at once."),
)
CASE = (
    Named("show", "referral.cli.agency.case:show_case", "The case as a timeline: what was asked of whom, and how it stands."),
    Named("instruct", "referral.cli.agency.case:instruct", "Decide, as the case's desk, what no rule could."),
    Named("erase", "referral.cli.agency.case:erase", "Erase a case: one person asks, another approves, each with an own account."),
    Named(
        "hold",
        "referral.cli.agency.case:hold",
        "Say that a case must be kept: nobody can have it erased until another person lifts the hold.",
    ),
    Named("lift", "referral.cli.agency.case:lift", "Say that a hold is over."),
    Named("erasures", "referral.cli.agency.case:erasures", "The erasures at your desk that wait for approval, or for the log."),
)
AGENCY = (
    Named("token", "referral.cli.admin.agency:token_command", "Make a token, which is shown once and never again."),
    Named("topic", "referral.cli.admin.agency:topic_command", "Make the agency's own topic, ingress.<agency>."),
    Named("exclude", "referral.cli.admin.agency:exclude_command", "As an agency that stands in the case: exclude somebody from it."),
    Named(
        "key",
        "referral.cli.admin.agency:key_command",
        "Show the key of a file, made if it is not there: the line for `signing: keys:` of the agency's file in the directory.",
    ),
)
STAFF = (
    Named("add", "referral.cli.admin.staff:add_command", "Make an account and say its id."),
    Named("password", "referral.cli.admin.staff:password_command", "Give an account another password; its owner is signed out everywhere."),
    Named(
        "disable",
        "referral.cli.admin.staff:disable_command",
        "Nobody signs in with this account any more, and its owner is not knocked; what is open ends at once.",
    ),
    Named("enable", "referral.cli.admin.staff:enable_command", "Undo disable."),
    Named("list", "referral.cli.admin.staff:list_command", "The accounts that there are."),
)
DUTY = (
    Named("person", "referral.cli.admin.duty:person_command", "Add a person who can be knocked, or change one."),
    Named("shift", "referral.cli.admin.duty:shift_command", "Put a person on duty, once or every week; times are wall clock in Belgrade."),
    Named("absence", "referral.cli.admin.duty:absence_command", "A person is on no shift between two moments."),
    Named("remove", "referral.cli.admin.duty:remove_command", "End a shift or an absence, by the number that `referral duty show` prints."),
    Named(
        "disable", "referral.cli.admin.duty:disable_command", "Knock this person no more; what is planned already does not leave either."
    ),
    Named("enable", "referral.cli.admin.duty:enable_command", "Knock this person again."),
    Named("pause", "referral.cli.admin.duty:pause_command", "Send nothing at all from now on, for instance in a storm of messages."),
    Named("resume", "referral.cli.admin.duty:resume_command", "Send again: what waits and is still wanted, once."),
    Named(
        "show",
        "referral.cli.admin.duty:show_command",
        "The people, their channels (never an address), shifts, absences, whether sending is paused, and which rungs a rota leaves bare.",
    ),
    Named(
        "history",
        "referral.cli.admin.duty:history_command",
        "Who was on duty at an instant, by the roster as it stood then, and who had changed it in the week before.",
    ),
)
POLICY = (
    Named(
        "activate",
        "referral.cli.policy.activate:activate_command",
        "Put the folder into force for every decision from now on; tracks that run keep the procedure that they began with.",
    ),
    Named(
        "check",
        "referral.cli.policy.check:check",
        "Is everything in the folder known and complete, and does every case reach somebody, whichever one agency fails?",
    ),
    Named(
        "show",
        "referral.cli.policy.show:show_command",
        "What a procedure says, step by step: who, where, within which limits, what silence means, what is shown, on which basis.",
    ),
    Named(
        "schema", "referral.cli.policy.show:schema_command", "The JSON Schema of a procedure's file, with the code lists of this policy."
    ),
    Named(
        "simulate",
        "referral.cli.policy.simulate:simulate",
        "What a year of made-up cases comes to under a policy: times, declines, rungs, desks, full shelters.",
    ),
    Group("calendar", "The snapshot of holidays that working days are counted with.", POLICY_CALENDAR),
    Group("directory", "Agencies and services, in the words of Open Referral HSDS 3.", POLICY_DIRECTORY),
)
AUDIT = (
    Named("token", "referral.cli.audit.keys:token_command", "Make a token for the auditor's page and for the log's entries over HTTP."),
    Named(
        "key",
        "referral.cli.audit.keys:key_command",
        "Make the key that signs the log and the one with which intake signs, and begin the policy file in which you name the witnesses.",
    ),
    Named(
        "export",
        "referral.cli.audit.export:export_command",
        "Write the log up to its newest witnessed checkpoint into DIR: tiles, entries, payloads, schemas, witness policy, and lent keys.",
    ),
    Named(
        "verify",
        "referral.cli.audit.verify:verify_command",
        "Prove a log: signed and witnessed, no tile, leaf or payload changed, nothing missing, every "
        "decision the one that the rules lead to.",
    ),
    Named(
        "replay",
        "referral.cli.audit.replay:replay_command",
        "Tell what happened from the log: time, entry, whether it is verified, event, who, why.",
    ),
    Named(
        "figures",
        "referral.cli.audit.figures:figures_command",
        "Compute the figures of oversight again from every event of the log, and compare: what is shown, "
        "what is hidden, months and digest.",
    ),
    Named(
        "prove",
        "referral.cli.audit.prove:prove_command",
        "Write a proof that others can check: of an entry (.tlog-proof), between two checkpoints, or that "
        "nothing stands between two entries.",
    ),
    Named(
        "diff",
        "referral.cli.audit.diff:diff_command",
        "Compare two logs by a few tiles of each: the same history, one that continues the other, or the first entry at which they part.",
    ),
    Named("reader", "referral.cli.audit.keys:reader_command", "Make an auditor's key pair."),
    Named(
        "renew", "referral.cli.audit.renew:renew_command", "Begin a new log after this one was set back to an old copy, or its key is lost."
    ),
    Named(
        "monitor",
        "referral.cli.audit.monitor:monitor_command",
        "Compare the views of all witnesses with one another and with the log: two heads that no one tree has are a split view.",
    ),
    Named(
        "witness",
        "referral.cli.audit.witness:witness_command",
        "Run a witness: cosign each checkpoint that continues the last one, and refuse every other history.",
    ),
)
OVERSIGHT = (
    Named(
        "begin",
        "referral.cli.admin.oversight:begin_command",
        "Say that no release was ever made, where the first month closed more than two months ago: oversight makes them all.",
    ),
    Named("releases", "referral.cli.admin.oversight:releases_command", "List the releases that are out, with the report of each."),
    Named("show", "referral.cli.admin.oversight:show_command", "Show a release: what is told, what waits, and how much is hidden."),
    Group("reader", "Tokens for the oversight pages.", OVERSIGHT_READER),
)
COMMANDS = (
    Named("up", "referral.cli.stack.up:up", "Start broker, database, mail server and services, keep them running, show their state."),
    Named("demo", "referral.cli.stack.demo:demo", "Tell the story of one referral on a stack of its own."),
    Named("submit", "referral.cli.agency.submit:submit", "Publish referrals."),
    Named(
        "submission",
        "referral.cli.agency.submit:submission",
        "Tell what became of what your agency sent under a number of its own, by HTTP or Kafka.",
    ),
    Named(
        "receipt",
        "referral.cli.agency.receipt:receipt",
        "Prove a referral from its receipt: intake has signed it, it is in the log, and a quorum of witnesses has seen that.",
    ),
    Named("offers", "referral.cli.agency.offers:offers", "List the offers that your agency holds, most urgent first."),
    Named("respond", "referral.cli.agency.offers:respond", "Answer one offer."),
    Named(
        "doctor",
        "referral.cli.admin.doctor:doctor",
        "Check conservation, positions, leases, sequences, alarms, keys, topics, outbox, quarantine, places, policy, clock and rotas.",
    ),
    Named("prepare", "referral.cli.admin.prepare:prepare", "Make roles, schemas, tables and topics."),
    Named(
        "recover",
        "referral.cli.admin.prepare:recover",
        "Fold the services' tables again from the topics, after their units stopped as rewound.",
    ),
    Named("drill", "referral.cli.stack.drill:drill", "Pass time by the drill clock: limits run out, alarms go off."),
    Group("case", "One case.", CASE),
    Group("agency", "An agency's tokens, its topic, and whom a case excludes.", AGENCY),
    Group("staff", "Personal accounts of the staff inbox.", STAFF),
    Group("duty", "Whom the notifier may knock, and when they are on duty.", DUTY),
    Group("policy", "The written procedures, the directory and the calendars.", POLICY),
    Group("audit", "The log: who did what, when and why, and whether it can be believed.", AUDIT),
    Group("oversight", "The figures for the Committee and the Adviser, and who may read them.", OVERSIGHT),
)
