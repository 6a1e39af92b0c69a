// `node follow_events.cjs URL`: the events that event-source-polyfill hears, a line each, and its errors.
const { EventSourcePolyfill } = require("event-source-polyfill");

const source = new EventSourcePolyfill(process.argv[2]);
const say = (line) => console.log(JSON.stringify(line));
for (const type of ["inventory", "resync", "availability"])
  source.addEventListener(type, (event) => say({ type, id: event.lastEventId, data: JSON.parse(event.data) }));
source.addEventListener("error", () => say({ type: "error", closed: source.readyState === EventSourcePolyfill.CLOSED }));
