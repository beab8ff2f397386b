// Times, durations and the words of the wire, as people read them. Pure.

const PERCENT = 100;

/** 4.21 -> "4.2 s", 84 -> "1:24", 3725 -> "1:02:05". */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  return clock(seconds);
}

/** 9 -> "0:09", 84 -> "1:24": for a time that runs. */
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
  return `${date.toLocaleDateString()} ${date.toLocaleTimeString(undefined, { hour12: false })}`;
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

const OUTCOMES = {
  complete: "With the supervisor",
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

/** "good", "neutral" or "bad": how an end is coloured. A caller who hung up and a cancel are nobody's fault. */
export function tone(word) {
  if (word === "complete") return "good";
  return word === "cancelled" || word === "caller_left" ? "neutral" : "bad";
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
  return [EVENTS[event] ?? capitalized(words(event)), noteText(note)];
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
