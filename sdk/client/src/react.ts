import { useCallback, useMemo, useSyncExternalStore } from 'react'
import type { MicsClient } from './client.js'
import type { ConnectionState } from './events.js'
import type { IncomingMessage } from './message.js'

/** Where the connection is; the component renders again when it changes. */
export function useConnectionState (client: MicsClient): ConnectionState {
  const subscribe = useCallback((onChange: () => void) => client.on('state', onChange), [client])
  const snapshot = (): ConnectionState => client.state
  return useSyncExternalStore(subscribe, snapshot, snapshot)
}

export interface UseMessagesOptions {
  /** How many are kept, the latest. Default 200. */
  max?: number
}

/**
 * The messages that have arrived since the component was mounted, oldest first; it renders again with each. What must
 * outlive the component belongs into a store of the app, which listens to `message` itself.
 */
export function useMessages (client: MicsClient, { max = 200 }: UseMessagesOptions = {}): readonly IncomingMessage[] {
  const { subscribe, snapshot } = useMemo(() => {
    let messages: readonly IncomingMessage[] = []
    return {
      subscribe: (onChange: () => void) => client.on('message', message => {
        messages = [...messages.slice(messages.length < max ? 0 : messages.length - max + 1), message]
        onChange()
      }),
      snapshot: () => messages,
    }
  }, [client, max])
  return useSyncExternalStore(subscribe, snapshot, snapshot)
}
