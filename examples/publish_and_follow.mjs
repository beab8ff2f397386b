/**
 * Request a warm transfer and follow its phases with the NATS client for Node.js alone.
 *
 * It does what publish_and_follow.py does, in another language. The messages are described by
 * docs/protocol.md, and for programs by docs/asyncapi.json.
 *
 * Run it in a clone with Node.js 22 or newer. The first command fetches the NATS client from npm, as package-lock.json pins it:
 *
 *     npm ci --prefix examples
 *     uv run warmxfer up                                   # first terminal; prints the caller's room id
 *     . LOCAL_ENV                                          # second terminal; the file that `up` names
 *     node examples/publish_and_follow.mjs ROOM_ID
 *
 * `NATS_URL` names a broker other than nats://127.0.0.1:4222. `NATS_USER`, `NATS_PASSWORD` and
 * `NATS_INBOX_PREFIX` name the broker's user.
 */

import { randomUUID } from "node:crypto";
import { connect } from "@nats-io/transport-node";

const NATS_URL = process.env.NATS_URL ?? "nats://127.0.0.1:4222";
const STORED_TIMEOUT_MS = 5_000;
const RESULT_TIMEOUT_MS = 300_000;

/** Transfer the caller in `roomId`. Returns whether the supervisor now talks with the caller. */
async function main(roomId) {
  const transferId = randomUUID().replaceAll("-", "");
  const request = {
    room_id: roomId,
    config: {
      destination: {
        routing_rule_id: "rr_demo",
        sip_call_to: "+14155550101", // in the sandbox: a supervisor who accepts
        sip_call_from: "+14155550100",
      },
    },
  };
  const client = await connect({
    servers: NATS_URL,
    user: process.env.NATS_USER,
    pass: process.env.NATS_PASSWORD,
    inboxPrefix: process.env.NATS_INBOX_PREFIX ?? "_INBOX",
  });

  // Subscribe before publishing, so that no phase is missed.
  client.subscribe(`warmxfer.${transferId}.phase`, {
    callback: (error, message) => {
      if (error) throw error;
      const { seq, phase } = message.json();
      console.log(seq, phase);
    },
  });
  const results = client.subscribe(`warmxfer.${transferId}.result`, {
    max: 1,
    timeout: RESULT_TIMEOUT_MS,
  });

  // The broker replies once the request is stored. The same request again is harmless.
  const stored = await client.request(`warmxfer.${transferId}.request`, JSON.stringify(request), {
    timeout: STORED_TIMEOUT_MS,
  });
  if (stored.json().error) throw new Error(stored.json().error.description);
  for await (const message of results) {
    const result = message.json();
    await client.drain(); // delivers the phases that have already arrived
    if (result.detail) console.log(`detail: ${result.detail}`);
    console.log(`outcome: ${result.outcome}\nsummary: ${result.summary}`);
    return result.success;
  }
  return false;
}

if (process.argv.length !== 3) {
  console.error("Give the room of the caller: node examples/publish_and_follow.mjs ROOM_ID");
  process.exit(2);
}
process.exit((await main(process.argv[2])) ? 0 : 1);
