// `npm run example:react-chat`: the chat in Vite's development server, and a gateway for it unless MICS_URL names one.
import { fileURLToPath } from 'node:url'
import { createServer } from 'vite'
import { gatewayUrl } from './gateway.js'

process.env.VITE_MICS_URL = await gatewayUrl()
process.env.VITE_MICS_TENANT = process.env.MICS_TENANT || 'demo'
const folder = name => fileURLToPath(new URL(name, import.meta.url))
const vite = await createServer({
  root: folder('../react-chat'),
  logLevel: 'warn',
  // Found only when the page is loaded, one of them would have it loaded again.
  optimizeDeps: { include: ['react', 'react/jsx-dev-runtime', 'react-dom/client'] },
  server: {
    port: Number(process.env.PORT ?? 5173),
    // In a checkout the SDK is beside the examples, not within them.
    fs: { allow: [folder('../..')] },
  },
})
// Vite's own would end the process before the gateway has closed.
process.removeAllListeners('SIGTERM')
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => vite.close())
await vite.listen()

console.log(`
  The chat is at ${vite.resolvedUrls.local[0]}
  The gateway is ${process.env.VITE_MICS_URL}

  Open the chat in two tabs and sign in as two people. Change a file in examples/react-chat and see it there.
  To stop it, press Ctrl-C.
`)
