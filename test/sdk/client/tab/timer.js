// As in the client's README.
globalThis.onmessage = ({ data }) => setInterval(() => globalThis.postMessage(0), data)
