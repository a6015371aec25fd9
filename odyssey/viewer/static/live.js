"use strict";
const $ = (id) => document.getElementById(id);
const token = document.querySelector("meta[name=viewer-token]").content;
let phase = "idle";
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
  $("end").hidden = !live;
  $("shape").hidden = live;
  const items = state.prompts.map(entry);
  const before = [...$("prompts").children].map((item) => item.textContent).join();
  if (items.map((item) => item.textContent).join() !== before) $("prompts").replaceChildren(...items);
  if (state.error) say(state.error);
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

async function ask(path, options) {
  const answer = await fetch(path, options);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error);
  return body;
}

async function refresh() {
  try {
    show(await ask("/live/state"));
  } catch (error) {
    say(`The viewer does not answer: ${error.message}`);
  }
}

async function post(path, fields) {
  say("");
  try {
    const headers = { "X-Viewer-Token": token };
    show(await ask(path, { method: "POST", headers, body: new URLSearchParams(fields) }));
    return true;
  } catch (error) {
    say(error.message);
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
