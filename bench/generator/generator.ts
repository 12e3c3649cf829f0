import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { Core } from '../cores.js'
import type { Processes } from '../processes.js'
import type { Orders } from './orders.js'

interface Waiting {
  resolve: (answer: never) => void
  reject: (error: Error) => void
}

/** The load generator, a process of its own. Its orders may overlap. */
export class Generator {
  private readonly waiting = new Map<number, Waiting>()
  private orders = 0

  private constructor (private readonly child: ChildProcess) {
    child.on('message', ({ id, answer, problem }: { id: number, answer: never, problem?: string }) => {
      const waiting = this.waiting.get(id)
      this.waiting.delete(id)
      if (problem === undefined) waiting?.resolve(answer)
      else waiting?.reject(new Error(problem))
    })
    child.on('exit', () => {
      for (const { reject } of this.waiting.values()) reject(new Error('the generator has ended'))
    })
  }

  static async start (processes: Processes): Promise<Generator> {
    const child = processes.withChannel(Core.LOAD, 'bench/generator/process.ts')
    const ended = once(child, 'exit').then(() => { throw new Error('the generator ended at its start') })
    await Promise.race([once(child, 'message'), ended])
    ended.catch(() => {})
    return new Generator(child)
  }

  ask<Order extends keyof Orders> (order: Order, details: Parameters<Orders[Order]>[0]): ReturnType<Orders[Order]> {
    const id = ++this.orders
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject })
      this.child.send({ id, order, details })
    }) as ReturnType<Orders[Order]>
  }
}
