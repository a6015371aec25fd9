"use strict";
const $ = (id) => document.getElementById(id);
const token = document.querySelector("meta[name=viewer-token]").content;
let phase = "idle";
let asked = 0;
let answered = 0;
let refused = null; // why the last thing asked for was not done
let shown = null; // the stream whose picture is shown

function say(error) {
  $("error").textContent = error || "";
  $("error").hidden = !error;
}

function entry(prompt) {
  const item = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = `${prompt.at.toFixed(1)} s`;
  const text = document.createElement("span");
  text.textContent = prompt.text;
  const answer = document.createElement("em");
  if (prompt.error) answer.textContent = prompt.error;
  else if (prompt.milliseconds === null) answer.textContent = "sent …";
  else answer.textContent = `acknowledged after ${prompt.milliseconds.toFixed(1)} ms`;
  answer.className = prompt.error ? "bad" : "good";
  item.append(time, text, answer);
  return item;
}

function show(state) {
  phase = state.phase;
  const live = phase === "live";
  $("phase").textContent = phase;
  $("phase").dataset.phase = phase;
  $("send").textContent = live ? "Send" : "Start";
  $("send").disabled = phase === "starting" || phase === "ending";
  $("label").textContent = live ? "What should change" : "What to show";
  $("prompt").placeholder = live ? "Rain sets in" : "A fox in a forest at dawn";
  $("end").hidden = !live;
  $("shape").hidden = live;
  const recorded = phase === "idle" ? state.stream_id : null;
  $("after").hidden = !recorded;
  if (recorded) $("recording").href = `/recordings/${encodeURIComponent(recorded)}?fresh=1`;
  const items = state.prompts.map(entry);
  const before = [...$("prompts").children].map((item) => item.textContent).join();
  if (items.map((item) => item.textContent).join() !== before) $("prompts").replaceChildren(...items);
  say(refused || state.error);
  // A page that nobody sees gives its connection back: browsers have few for one server.
  const wanted = live && !document.hidden ? state.stream_id : null;
  if (wanted !== shown) {
    shown = wanted;
    if (wanted) $("picture").src = `/live/video?stream=${encodeURIComponent(wanted)}`;
    else $("picture").removeAttribute("src");
    $("picture").hidden = !wanted;
    $("nothing").hidden = Boolean(wanted);
  }
}

// Shows the state that comes, unless a later question has been answered already.
async function ask(path, options) {
  const question = ++asked;
  const answer = await fetch(path, options);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error);
  if (question < answered) return;
  answered = question;
  show(body);
}

async function refresh() {
  try {
    await ask("/live/state");
  } catch (error) {
    say(`The viewer does not answer: ${error.message}`);
  }
}

async function post(path, fields) {
  refused = null;
  try {
    const headers = { "X-Viewer-Token": token };
    await ask(path, { method: "POST", headers, body: new URLSearchParams(fields) });
    return true;
  } catch (error) {
    refused = error.message;
    await refresh();
    return false;
  }
}

$("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const fields = { prompt: $("prompt").value };
  if ($("landscape").checked) fields.landscape = "1";
  if (await post(phase === "live" ? "/live/interact" : "/live/start", fields)) $("prompt").value = "";
});
$("prompt").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    $("form").requestSubmit();
  }
});
$("end").addEventListener("click", () => post("/live/end", {}));
document.addEventListener("visibilitychange", refresh);
(async () => {
  for (;;) {
    await refresh();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
})();
