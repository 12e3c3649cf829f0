import type { EventDescription } from '../lib/mq/event-description.js'

/** How events are printed, line by line. */
export interface EventLines {
  /** What comes before the first. */
  head: () => string[]
  line: (event: EventDescription) => string
}

export type EventFormat = 'json' | 'table'

/** A JSON object a line. */
export const jsonLines: EventLines = {
  head: () => [],
  line: ({ time, event, ...rest }) => escapeControls(JSON.stringify({ time, ...event, ...rest })),
}

interface Column {
  title: string
  /** The width to begin with; it grows with what comes. */
  width: number
  cell: (event: EventDescription) => string
}

/** Columns two spaces apart. They grow with what comes, so the first lines may stand out. */
export function tableLines ({ bodies, deadLetters }: { bodies: boolean, deadLetters: boolean }): EventLines {
  const columns = [...placeColumns, ...(deadLetters ? deadLetterColumns : []), ...eventColumns]
  if (bodies) columns.push({ title: 'BODY', width: 0, cell: ({ event }) => bodyOf(event?.event_data) })
  const widths = columns.map(({ title, width }) => Math.max(title.length, width))
  const toLine = (cells: string[]): string => cells.map((cell, i) => {
    widths[i] = Math.max(widths[i] ?? 0, cell.length)
    return cell.padEnd(widths[i])
  }).join('  ').trimEnd()
  return {
    head: () => [toLine(columns.map(({ title }) => title))],
    line: event => toLine(columns.map(({ cell }) => escapeControls(cell(event)) || '-')),
  }
}

const placeColumns: Column[] = [
  { title: 'TIME', width: 24, cell: ({ time }) => time },
  { title: 'PLACE', width: 6, cell: ({ partition, offset }) => `${partition}/${offset}` },
]

const deadLetterColumns: Column[] = [
  { title: 'REASON', width: 18, cell: ({ dead_letter: why }) => why === undefined ? '' : `${why.reason}${why.truncated ? ' (truncated)' : ''}` },
  { title: 'TRIES', width: 5, cell: ({ dead_letter: why }) => why === undefined ? '' : String(why.attempts) },
  { title: 'FAILED AT', width: 24, cell: ({ dead_letter: why }) => why?.failed_at ?? '' },
]

const eventColumns: Column[] = [
  { title: 'TYPE', width: 15, cell: ({ event, error }) => event?.event_type ?? error ?? '' },
  { title: 'USER', width: 12, cell: ({ event }) => event?.user_id ?? '' },
  { title: 'DEVICE', width: 10, cell: ({ event }) => event?.device_id ?? '' },
  { title: 'TO', width: 12, cell: ({ event }) => event === undefined ? '' : recipient(event) },
  { title: 'MSG_ID', width: 12, cell: ({ event }) => event?.msg_id ?? '' },
  { title: 'BYTES', width: 5, cell: ({ event }) => String(event?.event_data?.msg_body_size ?? '') },
  { title: 'SIGNED', width: 7, cell: ({ event }) => event?.signature ?? '' },
  { title: 'NODE', width: 8, cell: ({ event }) => event?.node_id ?? '' },
  { title: 'TRACE', width: 32, cell: ({ event }) => event?.trace_id ?? '' },
]

function recipient ({ to_user_id: user, group_id: group }: { to_user_id: string, group_id: string }): string {
  if (group === '') return user
  return user === '' ? `group ${group}` : `${user} in group ${group}`
}

function bodyOf (data: Record<string, unknown> | null | undefined): string {
  return String(data?.msg_body_text ?? data?.msg_body ?? '')
}

/**
 * Ids and bodies are anybody's text: what would move a terminal's cursor, or turn what follows around, is shown as what
 * it is. JSON stays the same JSON.
 */
export function escapeControls (text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, character =>
    `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
