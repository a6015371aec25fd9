"use strict";
const video = document.querySelector("video");
for (const mark of document.querySelectorAll(".mark")) mark.style.left = `${mark.dataset.percent}%`;
const entries = [...document.querySelectorAll(".events button")];
for (const button of document.querySelectorAll("button[data-seconds]")) {
  button.addEventListener("click", () => {
    video.currentTime = Math.min(Number(button.dataset.seconds), video.duration || Infinity);
  });
}
function show() {
  const now = video.currentTime;
  if (video.duration) document.querySelector(".played").style.width = `${(100 * now) / video.duration}%`;
  const current = entries.filter((entry) => Number(entry.dataset.seconds) <= now + 0.01).at(-1);
  for (const entry of entries) entry.toggleAttribute("data-current", entry === current);
}
video.addEventListener("timeupdate", show);
video.addEventListener("seeking", show);
video.addEventListener("loadedmetadata", show);
