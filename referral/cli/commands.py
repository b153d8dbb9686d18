"""The table of all commands of `referral`: name, module and function, and the line that lists display."""

from __future__ import annotations

from referral.cli.lazy import Group, Named

POLICY_CALENDAR = (
    Named("refresh", "referral.cli.policy.calendar:refresh_command", "Rewrite the calendar of the policy and print the differences."),
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
        "Check a directory, print its changes to the policy, and with --into write it; agencies that it does not name stay.",
    ),
)
OVERSIGHT_READER = (
    Named("add", "referral.cli.admin.oversight:add_command", "Make a token for the oversight pages."),
    Named("list", "referral.cli.admin.oversight:list_command", "List the offices that have or had a token."),
    Named("end", "referral.cli.admin.oversight:end_command", "End every token of an office, at once."),
)
CASE = (
    Named("show", "referral.cli.agency.case:show_case", "Show the case as a timeline: each request, the agency asked, and its state."),
    Named("instruct", "referral.cli.agency.case:instruct", "Decide, as the case's desk, what no rule could."),
    Named(
        "erase",
        "referral.cli.agency.case:erase",
        "Erase a case: one person requests it, another approves it, each with a personal account.",
    ),
    Named(
        "key",
        "referral.cli.agency.case:key_command",
        "Show your key for erasures, made if it is not there: the line for `trust.toml`, which every service and auditor has.",
    ),
    Named(
        "erase-refused",
        "referral.cli.agency.case:erase_refused",
        "Erase what your desk refused to confirm, such as a flood of made-up reports: one person requests it, another approves it.",
    ),
    Named("hold", "referral.cli.agency.case:hold", "Place a hold on a case: nobody has it erased until another person lifts it."),
    Named("lift", "referral.cli.agency.case:lift", "Lift a hold."),
    Named(
        "erasures",
        "referral.cli.agency.case:erasures",
        "List the erasures at your desk that wait: for approval, the log, or a day.",
    ),
)
AGENCY = (
    Named("token", "referral.cli.admin.agency:token_command", "Make a token, which is shown once and never again."),
    Named("topic", "referral.cli.admin.agency:topic_command", "Make the agency's own topic, ingress.<agency>."),
    Named("connect", "referral.cli.admin.agency:connect_command", "Make an agency's certificate on this machine, for a trial."),
    Named("exclude", "referral.cli.admin.agency:exclude_command", "Exclude somebody from a case in which your agency takes part."),
    Named(
        "key",
        "referral.cli.admin.agency:key_command",
        "Show the key of a file, made if it is not there: the line for `signing: keys:` of the agency's file in the directory.",
    ),
)
STAFF = (
    Named("add", "referral.cli.admin.staff:add_command", "Make an account and print its id."),
    Named(
        "password",
        "referral.cli.admin.staff:password_command",
        "Take an account's password away, and print a code with which its owner sets another; its owner is signed out everywhere.",
    ),
    Named(
        "disable",
        "referral.cli.admin.staff:disable_command",
        "Disable an account: nobody can sign in with it, its open sessions end at once, and its owner is not knocked.",
    ),
    Named("enable", "referral.cli.admin.staff:enable_command", "Undo disable."),
    Named("list", "referral.cli.admin.staff:list_command", "List the accounts."),
)
DUTY = (
    Named("person", "referral.cli.admin.duty:person_command", "Add a person who can be knocked, or change one."),
    Named("rule", "referral.cli.admin.duty:rule_command", "Decide by which channels, and how soon, a person is knocked."),
    Named("shift", "referral.cli.admin.duty:shift_command", "Put a person on duty, once or every week; times are wall clock in Belgrade."),
    Named("absence", "referral.cli.admin.duty:absence_command", "Take a person off all shifts between two moments."),
    Named("remove", "referral.cli.admin.duty:remove_command", "End a shift or an absence, by the number that `referral duty show` prints."),
    Named("disable", "referral.cli.admin.duty:disable_command", "Stop knocking this person; knocks already planned are not sent either."),
    Named("enable", "referral.cli.admin.duty:enable_command", "Knock this person again."),
    Named("pause", "referral.cli.admin.duty:pause_command", "Send nothing at all from now on, for instance in a storm of messages."),
    Named("resume", "referral.cli.admin.duty:resume_command", "Send again: what waits and is still wanted, once."),
    Named(
        "show",
        "referral.cli.admin.duty:show_command",
        "Show the people, their channels (never an address), shifts, absences, a pause of sending, and the rungs that a rota leaves empty.",
    ),
    Named(
        "sheet",
        "referral.cli.admin.duty_sheet:sheet_command",
        "Print who is on duty in the next 48 hours, by agency and rung, with the number to call: for the desk, each morning at 07:00.",
    ),
    Named(
        "gaps",
        "referral.cli.admin.duty_gaps:gaps_command",
        "Print when nobody is on duty, by agency and rung, and when only e-mail reaches those who are.",
    ),
    Named(
        "history",
        "referral.cli.admin.duty:history_command",
        "Show who was on duty at an instant, by the roster of that time, and who had changed it in the week before.",
    ),
)
DESK = (
    Named(
        "sheet",
        "referral.cli.admin.desk_sheet:sheet_command",
        "Print the open calls and tasks of each desk: for a power cut, every hour, beside `referral duty sheet`.",
    ),
)
PROMPTS = (
    Named(
        "make",
        "referral.cli.admin.prompts:make_command",
        "Make the spoken prompts of a call, in every language, with espeak-ng and sox.",
    ),
    Named(
        "call",
        "referral.cli.admin.prompts:call_command",
        "Call a telephone through every trunk of REFERRAL_SIP, one after another, as a drill, and print which key was pressed.",
    ),
)
TOPICS = (
    Named(
        "rebuild",
        "referral.cli.admin.prepare:rebuild_command",
        "Make lost topics again from the log: each record at the offset and with the time that it had.",
    ),
)
DRILL = (
    Named("list", "referral.cli.agency.exercise:list_command", "List the made-up referrals that an exercise can send."),
    Named(
        "run", "referral.cli.agency.exercise:run_command", "Send a made-up referral over the real line, marked everywhere as an exercise."
    ),
    Named(
        "end",
        "referral.cli.agency.exercise:end_command",
        "End an exercise that your agency has begun: nobody is asked or alerted for it any more.",
    ),
    Named(
        "report",
        "referral.cli.audit.exercise_report:report_command",
        "Report an exercise: who answered when, what was late, what was refused, what was read.",
    ),
    Named("pass", "referral.cli.stack.drill:drill", "Pass time by the drill clock: limits run out, alarms go off."),
)
POLICY = (
    Named(
        "activate",
        "referral.cli.policy.activate:activate_command",
        "Put a proposal that two signers signed into force, for every decision from now on; "
        "tracks that run keep the procedure that they began with.",
    ),
    Named(
        "propose",
        "referral.cli.policy.signing:propose_command",
        "Write a policy folder as a proposal, and print what it changes.",
    ),
    Named("sign", "referral.cli.policy.signing:sign_command", "Sign a proposal as the first of two, after reading what it changes."),
    Named("endorse", "referral.cli.policy.signing:endorse_command", "Sign a proposal as the second of two, after reading what it changes."),
    Named(
        "key",
        "referral.cli.policy.signing:key_command",
        "Show the key of a signer, made if it is not there: the line for `trust.toml`, which every service and auditor has.",
    ),
    Named(
        "pins",
        "referral.cli.policy.signing:pins_command",
        "Print a line for `trust.toml` for each bundle in force so far, so that they are believed without signatures.",
    ),
    Named(
        "check",
        "referral.cli.policy.check:check",
        "Check that everything in the folder is known and complete, and that every case reaches somebody, whichever one agency fails.",
    ),
    Named(
        "show",
        "referral.cli.policy.show:show_command",
        "Show a procedure step by step: who is asked, where, the limits, the effect of silence, the sections shown, the legal basis.",
    ),
    Named(
        "schema",
        "referral.cli.policy.show:schema_command",
        "Print the JSON Schema of a procedure's file, with the code lists of this policy.",
    ),
    Named(
        "simulate",
        "referral.cli.policy.simulate:simulate",
        "Simulate a year of made-up cases under a policy: times, declines, rungs, desks, full shelters.",
    ),
    Group("calendar", "The snapshot of holidays that working days are counted with.", POLICY_CALENDAR),
    Group("directory", "Agencies and services, in the words of Open Referral HSDS 3.", POLICY_DIRECTORY),
)
AUDIT_TRUST = (
    Named(
        "import",
        "referral.cli.audit.trust:import_command",
        "Write `trust.toml` from the comment lines of a policy file of release 0.1.0.",
    ),
    Named(
        "show",
        "referral.cli.audit.trust:show_command",
        "Print a `trust.toml` as the log publishes it: one C2SP policy file, with a comment line for each key.",
    ),
    Named(
        "compare",
        "referral.cli.audit.trust:compare_command",
        "Compare whom two files believe: yours with an agency's, a signer's or another auditor's.",
    ),
)
AUDIT = (
    Named("token", "referral.cli.audit.keys:token_command", "Make a token for the auditor's page and for the log's entries over HTTP."),
    Named(
        "key",
        "referral.cli.audit.keys:key_command",
        "Make the key that signs the log and the one with which intake signs, and begin `trust.toml`, which says whom everybody believes.",
    ),
    Named(
        "export",
        "referral.cli.audit.export:export_command",
        "Write the log up to its newest witnessed checkpoint into DIR: tiles, entries, payloads, schemas, witness policy, and lent keys.",
    ),
    Named(
        "verify",
        "referral.cli.audit.verify:verify_command",
        "Verify a log: signed and witnessed, no tile, leaf or payload changed, nothing missing, every "
        "decision the one that the rules lead to.",
    ),
    Named(
        "acknowledge",
        "referral.cli.audit.acknowledge:acknowledge_command",
        "Acknowledge findings: `audit verify --known` then counts them, and the verdict is about the others alone.",
    ),
    Named(
        "replay",
        "referral.cli.audit.replay:replay_command",
        "Display the events of the log: time, entry, verification mark, event, actor, reason.",
    ),
    Named(
        "receipt",
        "referral.cli.audit.receipt_words:receipt_command",
        "Compare a receipt with the log: did intake record the words that it signed? A sender who signs nothing has no other proof.",
    ),
    Named(
        "guidance",
        "referral.cli.audit.guidance:guidance_command",
        "Print the guidance that the page of a step showed at a moment: bundle, entry, verification mark, and the exact texts.",
    ),
    Named(
        "figures",
        "referral.cli.audit.figures:figures_command",
        "Recompute the figures of oversight from every event of the log, and compare releases with them: "
        "displayed and hidden figures, months and digest.",
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
        "writer",
        "referral.cli.audit.keys:writer_command",
        "Show the key with which a service signs its records, made if it is not there: the line for `trust.toml`.",
    ),
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
    Group(
        "trust", "The file of whom everybody believes: taken over from release 0.1.0, as the log publishes it, and compared.", AUDIT_TRUST
    ),
)
OVERSIGHT = (
    Named(
        "begin",
        "referral.cli.admin.oversight:begin_command",
        "Confirm that no release was ever made, although the first month closed over two months ago: oversight then makes them all.",
    ),
    Named("releases", "referral.cli.admin.oversight:releases_command", "List the releases that are out, with the report of each."),
    Named(
        "show",
        "referral.cli.admin.oversight:show_command",
        "Show a release: its figures, the waiting blocks, and the number of hidden figures.",
    ),
    Group("reader", "Tokens for the oversight pages.", OVERSIGHT_READER),
)
CA = (
    Named(
        "init",
        "referral.cli.ca.authorities:init_command",
        "Make a root, and an issuing authority each for services, agencies and operators.",
    ),
    Named(
        "request", "referral.cli.ca.identities:request_command", "Make a new key in a folder, and print the request for its certificate."
    ),
    Named(
        "sign",
        "referral.cli.ca.authorities:sign_command",
        "Sign a request for the holder that you name, and print what to send back: certificate, authorities, lists.",
    ),
    Named(
        "install",
        "referral.cli.ca.identities:install_command",
        "Put what the authority handed out into a folder: a certificate, or only authorities and lists of revoked certificates.",
    ),
    Named(
        "renew",
        "referral.cli.ca.identities:renew_command",
        "Renew the identities in folders of this machine, if half of their period is over, and bring them the newest lists.",
    ),
    Named("revoke", "referral.cli.ca.authorities:revoke_command", "Revoke a certificate, or all certificates of a holder."),
    Named(
        "replace",
        "referral.cli.ca.authorities:replace_command",
        "Make another issuing authority for a plane; with --end, take the older one out of trust.",
    ),
    Named(
        "crl",
        "referral.cli.ca.authorities:crl_command",
        "Sign every list of revoked certificates anew, and print what to install everywhere: authorities and lists.",
    ),
    Named(
        "list",
        "referral.cli.ca.authorities:list_command",
        "List authorities, lists and certificates: when each ends, and what to do about it.",
    ),
)
SECURITY = (
    Named("events", "referral.cli.admin.security:events_command", "List the security events: sign-ins, refusals, readings."),
    Named(
        "honey",
        "referral.cli.admin.security:honey_command",
        "Make a token, or the number of a case, that nobody has a use for, and print it once: whoever uses it raises an alarm.",
    ),
)
OPERATOR = (
    Named(
        "key",
        "referral.cli.admin.operator:key_command",
        "Show your key for what takes two operators, made if it is not there: the line for `trust.toml`, which every auditor has.",
    ),
    Named(
        "word",
        "referral.cli.admin.operator:word_command",
        "Give your word, as the second operator, for one command of another: it is good for an hour, once, for exactly that command.",
    ),
)
COMMANDS = (
    Named("up", "referral.cli.stack.up:up", "Start broker, database, mail server and services, keep them running, show their state."),
    Named("demo", "referral.cli.stack.demo:demo", "Tell the story of one referral on a stack of its own."),
    Named("tour", "referral.cli.stack.tour:tour", "Walk through a running local stack in ten stops, one for each role."),
    Named(
        "handset",
        "referral.cli.stack.handset:handset",
        "Show the SMS and calls of a local stack's handset, and answer them. No telephone rings.",
    ),
    Named("submit", "referral.cli.agency.submit:submit", "Publish referrals."),
    Named(
        "submission",
        "referral.cli.agency.submit:submission",
        "Show the result of a message that your agency sent under its own number, by HTTP or Kafka.",
    ),
    Named(
        "receipt",
        "referral.cli.agency.receipt:receipt",
        "Prove a referral from its receipt: intake has signed it, it is in the log, and a quorum of witnesses has seen that.",
    ),
    Named("offers", "referral.cli.agency.offers:offers", "List the offers that your agency holds, most urgent first."),
    Named("respond", "referral.cli.agency.offers:respond", "Answer one offer, and show whether the answer counted."),
    Named(
        "doctor",
        "referral.cli.admin.doctor:doctor",
        "Check conservation, positions, leases, sequences, alarms, keys, topics, outbox, quarantine, places, policy, clock, rotas,"
        " rights, passwords, tokens, commands, events, walls, backup, certificates and older faults.",
    ),
    Named(
        "channels",
        "referral.cli.admin.channels:channels_command",
        "Show each provider of each channel: its state, since when, its last success, and how many messages wait for the channel.",
    ),
    Named(
        "init",
        "referral.cli.stack.init:init_command",
        "Make all that a line needs before its servers run: authority, certificates, keys, passwords, and the environment of each program.",
    ),
    Named("prepare", "referral.cli.admin.prepare:prepare", "Make roles, schemas, tables and topics."),
    Named(
        "recover",
        "referral.cli.admin.prepare:recover",
        "Rebuild the services' tables from the topics, after their units stopped as `rewound-sql`.",
    ),
    Group("topics", "The topics on the broker.", TOPICS),
    Group("drill", "Exercises on the real line, and the clock of a stack that is for drills alone.", DRILL),
    Group("case", "One case.", CASE),
    Group("agency", "An agency's tokens, its topic, and whom a case excludes.", AGENCY),
    Group("staff", "Personal accounts of the staff inbox.", STAFF),
    Group("duty", "Whom the notifier may knock, and when they are on duty.", DUTY),
    Group("desk", "What is open at the desks, on paper.", DESK),
    Group("prompts", "The sound files that a call plays, and a call to try them.", PROMPTS),
    Group("policy", "The written procedures, the directory and the calendars.", POLICY),
    Group("audit", "The log: who did what, when and why, and whether it can be believed.", AUDIT),
    Group("ca", "The authority that signs the certificates of services, agencies and operators.", CA),
    Group("security", "Who signed in, was refused or read, and what only a thief uses.", SECURITY),
    Group("operator", "What takes two operators: your key, and your word.", OPERATOR),
    Group("oversight", "The figures for the Committee and the Adviser, and who may read them.", OVERSIGHT),
)
