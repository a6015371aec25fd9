// A small page of a React user's: it lists recordings, plays one, and streams live.
import { StrictMode, useCallback, useEffect, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import { useOdyssey } from "@odysseyml/odyssey/react";
import "./picture.js";

const apiKey = location.hash.slice(1);

function App() {
  const odyssey = useOdyssey({ apiKey });
  const [recordings, setRecordings] = useState([]);
  const [failure, setFailure] = useState(null);
  const [source, setSource] = useState(null);
  const video = useRef(null);
  const { listStreamRecordings, getRecording, mediaStream } = odyssey;

  const attempt = useCallback(async (work) => {
    setFailure(null);
    try {
      await work();
    } catch (error) {
      setFailure(error.message);
    }
  }, []);

  const refresh = useCallback(
    () => attempt(async () => setRecordings((await listStreamRecordings({ limit: 20 })).recordings)),
    [attempt, listStreamRecordings],
  );

  useEffect(() => void refresh(), [refresh]);
  useEffect(() => {
    video.current.srcObject = mediaStream;
    if (mediaStream) video.current.play().catch(() => {});
  }, [mediaStream]);

  const show = (id) =>
    attempt(async () => setSource((await getRecording(id)).video_url));
  const go = () =>
    attempt(async () => {
      await odyssey.connect();
      await odyssey.startStream({ prompt: "A sunny beach at noon", portrait: false });
    });
  const leave = () =>
    attempt(async () => {
      await odyssey.endStream();
      odyssey.disconnect();
    });

  return (
    <main>
      <section>
        <h1>Recordings</h1>
        <button id="refresh" onClick={refresh}>Refresh</button>
        <button id="go" onClick={go}>Go live</button>
        <button id="steer" onClick={() => attempt(() => odyssey.interact({ prompt: "Night" }))}>
          Night
        </button>
        <button id="leave" onClick={leave}>Leave</button>
        <p id="status">{odyssey.status}</p>
        {failure && <p role="alert">{failure}</p>}
        <ul>
          {recordings.map((r) => (
            <li key={r.stream_id}>
              <button onClick={() => show(r.stream_id)}>
                {r.duration_seconds?.toFixed(1)} s, {r.width}x{r.height}
              </button>
            </li>
          ))}
        </ul>
      </section>
      <section>
        <video ref={video} src={source ?? undefined} crossOrigin="anonymous" autoPlay muted playsInline />
      </section>
    </main>
  );
}


createRoot(document.getElementById("root")).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
