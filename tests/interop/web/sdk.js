// The web SDK as a global, for scripts that a test runs in the page; and what it calls back with.
import * as odyssey from "@odysseyml/odyssey";
import "./picture.js";

window.odyssey = odyssey;
window.events = [];

const NAMES = [
  "onConnected",
  "onDisconnected",
  "onStreamStarted",
  "onStreamEnded",
  "onInteractAcknowledged",
  "onBroadcastReady",
  "onStreamError",
  "onError",
  "onStatusChange",
];

// A handler of each kind, which notes its name and what it was given in `events`.
window.noting = () =>
  Object.fromEntries(
    NAMES.map((name) => [
      name,
      (...args) =>
        window.events.push([
          name,
          ...args.map((arg) =>
            arg instanceof Error ? arg.message : arg instanceof MediaStream ? "stream" : arg,
          ),
        ]),
    ]),
  );

// Shows a stream or an address in the page's video element; resolves once it plays.
window.play = async (source) => {
  const video = document.querySelector("video");
  video.muted = true;
  if (source instanceof MediaStream) video.srcObject = source;
  else {
    video.crossOrigin = "anonymous";
    video.src = source;
  }
  await video.play();
  return video;
};


window.ready = true;
