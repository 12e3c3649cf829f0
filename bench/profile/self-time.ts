import type { Profiler, Runtime } from 'node:inspector'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A function, and the time in which it ran itself, not what it called. */
export interface SelfTime {
  name: string
  /** Of the time in which the process was not idle, from 0 to 1. */
  share: number
  /** Such as `lib/session/session.ts:42`; empty for what is no file, such as V8's own. */
  place: string
}

export interface SelfTimes {
  functions: SelfTime[]
  /** Of the whole time, from 0 to 1. */
  idleShare: number
}

/** The functions with the most time of their own, first the one with the most. Places are relative to `folder`. */
export function selfTimes (profile: Profiler.Profile, folder: string): SelfTimes {
  const spent = new Map<number, number>()
  const samples = profile.samples ?? []
  // Each sample stands for the time until the next; the first delta is from the start of the profile.
  const deltas = profile.timeDeltas ?? []
  samples.forEach((id, i) => spent.set(id, (spent.get(id) ?? 0) + Math.max(deltas[i + 1] ?? 0, 0)))
  let idle = 0
  let busy = 0
  const byFunction = new Map<string, { name: string, place: string, us: number }>()
  for (const { id, callFrame } of profile.nodes) {
    const us = spent.get(id) ?? 0
    if (callFrame.functionName === '(idle)') {
      idle += us
      continue
    }
    busy += us
    const name = callFrame.functionName || '(anonymous)'
    const place = placeOf(callFrame, folder)
    const key = `${name} ${place}`
    const found = byFunction.get(key)
    if (found === undefined) byFunction.set(key, { name, place, us })
    else found.us += us
  }
  const functions = [...byFunction.values()]
    .filter(({ us }) => us > 0)
    .sort((a, b) => b.us - a.us)
    .map(({ name, place, us }) => ({ name, place, share: us / busy }))
  return { functions, idleShare: idle / (idle + busy || 1) }
}

function placeOf ({ url, lineNumber }: Runtime.CallFrame, folder: string): string {
  if (url === '') return ''
  const dependency = url.lastIndexOf('/node_modules/')
  if (dependency >= 0) return `${url.slice(dependency + 1)}:${lineNumber + 1}`
  const file = url.startsWith('file:') ? relative(folder, fileURLToPath(url)) : url
  return `${file}:${lineNumber + 1}`
}
