// Times, durations and the words of the wire, as people read them. Pure.

const PERCENT = 100;

/** Share of a limit or a target from which on a time is marked as near to it. */
export const NEAR = 0.75;

/** As `clock`, of a time that is over: 0.5 -> "under 0:01", unknown -> "–". */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  return seconds < 1 ? "under 0:01" : clock(seconds);
}

/** 18.94 -> "0:18.9": for the order of events. */
export function exactClock(seconds) {
  const tenths = Math.max(0, Math.floor(seconds * 10 + 1e-6));
  return `${clock(tenths / 10)}.${tenths % 10}`;
}

/** Whether a time is over its limit, by the whole seconds that `clock` shows of both. */
export function isOver(seconds, limit) {
  return Math.floor(seconds) > Math.floor(limit);
}

/** "late", "near" or "": how the wait of a caller stands to the target. */
export function lateness(seconds, target) {
  if (isOver(seconds, target)) return "late";
  return seconds > NEAR * target ? "near" : "";
}

/** Seconds that a caller has waited at this second, as every part of the page shows them. */
export function waited(row, second) {
  return Math.max(0, Math.floor(second - row.started_at));
}

/** 9 -> "0:09", 84 -> "1:24", 3725 -> "1:02:05". Parts of a second are cut off. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const pad = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  if (hours > 0) return `${hours}:${pad(minutes)}:${pad(whole % 60)}`;
  return `${minutes}:${pad(whole % 60)}`;
}

/** How long ago something was, in one unit. */
export function ago(seconds) {
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

/** The time of day, with milliseconds if `exact`. */
export function timeOfDay(at, exact = false) {
  const date = new Date(at * 1000);
  const text = date.toLocaleTimeString(undefined, { hour12: false });
  return exact ? `${text}.${String(date.getMilliseconds()).padStart(3, "0")}` : text;
}

/** Date and time of day. */
export function moment(at) {
  const date = new Date(at * 1000);
  const day = date.toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" });
  return `${day}, ${timeOfDay(at)}`;
}

/** "supervisor_no_answer" -> "supervisor no answer", "AUDIO_STREAM_ENABLED" -> "audio stream enabled". */
export function words(name) {
  return name.toLowerCase().replaceAll("_", " ");
}

/** A note of the log as people read it: only its underscores are replaced. */
export function noteText(note) {
  return note.replaceAll("_", " ");
}

export function capitalized(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function percent(part, whole) {
  return whole > 0 ? `${Math.round((part / whole) * PERCENT)} %` : "–";
}

export function plural(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

export const STEPS = {
  preparing: "Preparing",
  ringing: "Ringing",
  briefing: "Briefing",
  moving: "Moving",
  cleaning_up: "Cleaning up",
  ended: "Ended",
};

/** What happens in each step, for people who do not know the words. */
export const STEP_MEANINGS = {
  preparing: "the caller is put on hold and the supervisor's call is set up",
  ringing: "the supervisor's phone rings",
  briefing: "the AI tells the supervisor what the caller wants; the supervisor accepts or declines",
  moving: "the caller is connected to the supervisor",
  cleaning_up: "the transfer did not work out; the caller goes back to the AI",
};

const OUTCOMES = {
  complete: "Connected",
  cancelled: "Cancelled",
  declined: "Supervisor declined",
  supervisor_busy: "Supervisor busy",
  supervisor_no_answer: "No answer",
  supervisor_rejected: "Call rejected",
  supervisor_unreachable: "Supervisor unreachable",
  supervisor_join_timeout: "No answer in time",
  supervisor_disconnected: "Supervisor hung up",
  voicemail: "Answering machine",
  caller_left: "Caller hung up",
  briefing_timeout: "No decision in time",
};

/** An outcome of the wire in a few words. */
export function outcome(word) {
  return OUTCOMES[word] ?? capitalized(words(word || "ended"));
}

const PEOPLES_CHOICES = ["declined", "voicemail", "briefing_timeout", "caller_left", "cancelled"];

/** "good", "neutral" or "bad": how an end is coloured. Bad: a part of the system failed. */
export function tone(word) {
  if (word === "complete") return "good";
  return PEOPLES_CHOICES.includes(word) || word.startsWith("supervisor_") ? "neutral" : "bad";
}

const PLACES = {
  complete: "caller with the supervisor",
  session_released: "caller lost the AI session",
  primary_absent: "the AI session did not answer",
  invalid_request: "caller was not moved",
  too_busy: "caller was not moved",
  caller_in_transfer: "caller is in another transfer",
};
const SENT_BACK = [
  ...["declined", "voicemail", "cancelled", "briefing_timeout", "briefing_absent", "briefing_failed"],
  ...["room_failed", "dial_failed", "switch_failed", "gateway_absent"],
];

/** Where a transfer left its caller, by its outcome alone; "" if the outcome does not tell. */
export function callerAfter(word) {
  if (PLACES[word]) return PLACES[word];
  const back = SENT_BACK.includes(word) || word.startsWith("supervisor_");
  return back ? "caller sent back to the AI" : "";
}

const EMPTY_WORDS = ["a", "an", "the", "took", "call", "was", "is", "had", "has", "did", "by"];

/** The detail of an end, or "" if it says no more than the outcome does. */
export function moreThanOutcome(word, detail) {
  const known = new Set([...EMPTY_WORDS, ...wordsOf(outcome(word)), ...wordsOf(words(word))]);
  return wordsOf(detail ?? "").every((each) => known.has(each)) ? "" : detail;
}

function wordsOf(text) {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

const EVENTS = {
  transfer_requested: "Transfer requested",
  caller_held: "Caller on hold",
  caller_call_found: "Caller's call found",
  room_created: "Consultation room open",
  summary_ready: "Summary ready",
  supervisor_dialed: "Supervisor's phone rings",
  consultation_joined: "Briefing agent in the room",
  supervisor_ready: "Supervisor said yes",
  supervisor_declined: "Supervisor said no",
  voicemail_detected: "Answering machine heard",
  supervisor_call_ended: "Supervisor's leg ended",
  caller_call_ended: "Caller's leg ended",
  caller_switched: "Caller moved",
  caller_returned: "Caller moved back",
  caller_released: "Caller back with the AI",
  consultation_left: "Briefing agent left",
  call_left: "AI left the call",
  call_ended: "Supervisor's leg is down",
  room_closed: "Consultation room closed",
  deadline_passed: "Timer",
  legs_checked: "Legs checked",
  command_failed: "Command failed",
  cancel_requested: "Cancel requested",
};

const OF_PEOPLE = { AUDIO_STREAM_ENABLED: "can be heard", PARTICIPANT_JOINED: "joined", PARTICIPANT_LEFT: "left" };

/** An entry of the timeline in a few words: what happened, and its note if the words do not say it. */
export function entryName({ event, note }) {
  if (!event) return ["Unreadable record", ""];
  if (OF_PEOPLE[event]) return [`${capitalized(note || "a participant")} ${OF_PEOPLE[event]}`, ""];
  return [EVENTS[event] ?? capitalized(words(event)), NOTES[note] ?? noteText(note)];
}

const NOTES = { "a fixed line": "a standard sentence" };
const COMMANDS = { find_caller_call: "Find the caller's call", check_legs: "Check both calls" };

/** A command by its type on the wire. */
export function commandName(kind) {
  return COMMANDS[kind] ?? capitalized(words(kind));
}

const ACTORS = {
  coordinator: "Coordinator",
  primary: "AI session",
  gateway: "Gateway",
  summarizer: "Summarizer",
  briefing: "Briefing agent",
};

export function actorName(role) {
  return ACTORS[role] ?? capitalized(role);
}
