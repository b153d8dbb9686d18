// An SMSC of the npm library `smpp`: takes messages, sends receipts and replies as a test tells it by JSON lines on stdin.
// What it received, and what was acknowledged, it prints as JSON lines.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const smpp = createRequire(process.cwd() + "/")("smpp");
const say = (value) => process.stdout.write(JSON.stringify(value) + "\n");
let mode = { status: 0, receipt: "DELIVRD" }; // status: of submit_sm_resp; receipt: state, or null for none
let count = 0;
const sessions = new Set();

function deliver(fields, told) {
  for (const session of sessions) {
    session.deliver_sm(fields, (answer) => say({ acknowledged: told, status: answer.command_status }));
    return;
  }
}

function receipt(id, from, to, state) {
  const done = state === "DELIVRD" ? "001" : "000";
  const text = `id:${id} sub:001 dlvrd:${done} submit date:2601010000 done date:2601010000 stat:${state} err:000 text:`;
  deliver({ source_addr: to, destination_addr: from, esm_class: 4, short_message: text }, `${id} ${state}`);
}

const server = smpp.createServer({}, (session) => {
  session.on("error", () => {});
  session.on("close", () => sessions.delete(session));
  session.on("bind_transceiver", (pdu) => {
    session.send(pdu.response());
    sessions.add(session);
    say({ bound: pdu.system_id });
  });
  session.on("enquire_link", (pdu) => session.send(pdu.response()));
  session.on("unbind", (pdu) => session.send(pdu.response()));
  session.on("submit_sm", (pdu) => {
    const id = `n${++count}`;
    const text = pdu.short_message.message;
    say({ id, to: pdu.destination_addr, from: pdu.source_addr, text: String(text), coding: pdu.data_coding, asks: pdu.registered_delivery });
    session.send(pdu.response({ command_status: mode.status, message_id: mode.status ? "" : id }));
    if (!mode.status && mode.receipt) receipt(id, pdu.source_addr, pdu.destination_addr, mode.receipt);
  });
});
server.listen(Number(process.argv[2]), "127.0.0.1", () => say({ listens: server.address().port }));

createInterface({ input: process.stdin }).on("line", (line) => {
  const told = JSON.parse(line);
  if (told.mode) mode = told.mode;
  if (told.receipt) receipt(told.receipt.id, told.receipt.from, told.receipt.to, told.receipt.state);
  if (told.reply) deliver({ source_addr: told.reply.from, source_addr_ton: 1, source_addr_npi: 1, destination_addr: told.reply.to, short_message: told.reply.text }, told.reply.text);
}).on("close", () => process.exit(0));
