import type { GuideOptions } from './guide.js'

export const clientGuidePage = 'docs/guides/client.md'

export const clientGuide: GuideOptions = {
  ports: ['8080', '8090', '8099', '5173', '5174'],
  instead: {
    'npm ci': ':', // the packages of the repository are there
    'npm run dev': 'npm run dev -- --port 8080',
  },
}

/** What comes before all others. */
const first = 'The first message'

/** Its chapters with something to run, in parts that take a test of their own each. */
export const clientGuideParts = {
  messages: [
    first, 'States, and what the client does by itself', 'Tokens', 'When a message cannot be sent',
    'Messages that must not get lost', 'Groups', 'Repeats and history', 'Encryption', 'AbortSignal', 'Logging',
    'Testing your app',
  ],
  platforms: [first, 'Device ids', 'Node.js', 'A page without a bundler', 'React', 'WeChat mini programs'],
}
