const text = { type: 'string' } as const
const name = { type: 'string', minLength: 1 } as const
const count = { type: 'integer', minimum: 1 } as const
const ms = { type: 'integer', minimum: 0, maximum: 600_000 } as const
const ids = { type: 'array', items: text } as const

const position = {
  description: 'Counted from 1: a number, or a range in which each, or each nth, is meant',
  anyOf: [
    count,
    {
      type: 'object',
      additionalProperties: false,
      minProperties: 1,
      properties: { from: count, to: count, every: count },
    },
  ],
} as const

const frames = {
  type: 'array',
  maxItems: 100,
  items: {
    description: 'Binary by its hex digits, text, or a ServerError',
    type: 'object',
    additionalProperties: false,
    minProperties: 1,
    maxProperties: 1,
    properties: {
      hex: { type: 'string', pattern: '^([0-9a-f]{2})*$' },
      text,
      error: { $ref: '#/definitions/serverError' },
    },
  },
} as const

const action = {
  type: 'object',
  additionalProperties: false,
  minProperties: 1,
  properties: {
    refuse: {
      description: 'Of a connect: an HTTP answer instead of the upgrade',
      type: 'object',
      additionalProperties: false,
      required: ['status'],
      properties: { status: { type: 'integer', minimum: 400, maximum: 599 }, retryAfterSeconds: { type: 'integer', minimum: 0 } },
    },
    hang: {
      description: 'Of a connect: no answer to the upgrade, or no connect_ack after it',
      enum: ['upgrade', 'connect_ack'],
    },
    drop: {
      description: 'Ends the TCP connection: before anything is done, when it is done and before the answer, in the middle of the answer\'s bytes, after the answer',
      enum: ['before', 'processed', 'half', 'after'],
    },
    close: {
      description: 'Closes the WebSocket instead of anything else, or after the answer',
      type: 'object',
      additionalProperties: false,
      required: ['code'],
      properties: {
        code: { type: 'integer', anyOf: [{ enum: [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013] }, { minimum: 3000, maximum: 4999 }] },
        reason: { type: 'string', maxLength: 123 },
        after: { type: 'boolean' },
      },
    },
    drain: { description: 'Closes all connections with 4200 instead of anything else', const: true },
    silent: { description: 'From now on the connection says nothing and does nothing', const: true },
    fail: {
      description: 'Of a message: a FAILED ack; nobody gets it',
      type: 'object',
      additionalProperties: false,
      required: ['reason'],
      properties: { reason: text },
    },
    error: { description: 'Of a message: a ServerError instead of an ack; nobody gets it', $ref: '#/definitions/serverError' },
    answer: {
      description: 'How the answer goes: the connect_ack, the ack, the pong, the delivery itself',
      anyOf: [
        { const: 'never' },
        {
          type: 'object',
          additionalProperties: false,
          minProperties: 1,
          properties: {
            delayMs: ms,
            copies: { type: 'integer', minimum: 1, maximum: 100 },
            reorder: {
              description: 'Of acks and deliveries: so many are held, up to 200 ms, and come in another order; within a conversation and sender in their own, unless illegal',
              type: 'object',
              additionalProperties: false,
              required: ['count'],
              properties: { count: { type: 'integer', minimum: 2, maximum: 1000 }, illegal: { type: 'boolean' } },
            },
            unknownFields: { description: 'Adds fields of every wire type that no client knows', type: 'boolean' },
          },
        },
      ],
    },
    before: frames,
    after: frames,
  },
} as const

const messages = {
  type: 'array',
  maxItems: 1000,
  items: {
    description: '{n} in msgId and body becomes 1, 2, 3 ... up to count',
    type: 'object',
    additionalProperties: false,
    required: ['msgId'],
    properties: {
      tenantId: name,
      from: name,
      fromDevice: name,
      toUserId: name,
      groupId: name,
      msgId: name,
      body: text,
      count: { type: 'integer', minimum: 1, maximum: 10_000 },
    },
  },
} as const

/** JSON Schema of a scenario. conformance/scenario.schema.json is made of it by `npm run generate:conformance`. */
export const scenarioSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'A scenario of `mics mock`',
  description: 'conformance/README.md explains it with examples',
  type: 'object',
  additionalProperties: false,
  properties: {
    $schema: text,
    description: text,
    seed: { description: 'Seeds what is random, unless --seed does', type: 'integer', minimum: 0, maximum: 0xffffffff },
    heartbeatTimeoutMs: { description: 'Milliseconds without a frame until 4100; default 30000', type: 'integer', minimum: 1, maximum: 3_600_000 },
    maxMessageBytes: { description: 'Largest body; default 1048576', type: 'integer', minimum: 1, maximum: 16_777_216 },
    groups: { description: 'Members of each group', type: 'object', additionalProperties: ids },
    tokens: { description: 'Whose token each is, where it is not valid:<user>', type: 'object', additionalProperties: name },
    held: { description: 'Messages that wait for their recipients from the start', ...messages },
    rules: {
      description: 'The first that fits decides; where none does, the mock is a friendly gateway',
      type: 'array',
      maxItems: 1000,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['when', 'do'],
        properties: {
          when: {
            type: 'object',
            additionalProperties: false,
            required: ['event'],
            properties: {
              event: { enum: ['connect', 'message', 'ping', 'delivery'] },
              tenantId: name,
              userId: name,
              deviceId: name,
              token: text,
              connection: { $ref: '#/definitions/position' },
              nth: { $ref: '#/definitions/position' },
              msgId: { description: 'A regular expression', ...name },
              toUserId: name,
              groupId: name,
              from: name,
              chance: { type: 'number', minimum: 0, maximum: 1 },
            },
          },
          do: { $ref: '#/definitions/action' },
          times: count,
        },
      },
    },
    client: {
      description: 'What the client under test does; not for the mock',
      type: 'object',
      additionalProperties: false,
      required: ['tenantId', 'userId', 'deviceId', 'tokens'],
      properties: {
        tenantId: name,
        userId: name,
        deviceId: name,
        tokens: { description: 'One for each time the client asks; the last again and again', type: 'array', minItems: 1, items: text },
        heartbeatTimeoutMs: count,
        connectTimeoutMs: count,
        send: messages,
      },
    },
    expect: {
      description: 'What must come of it; not for the mock',
      type: 'object',
      additionalProperties: false,
      required: ['text', 'state', 'connections'],
      properties: {
        text,
        state: { enum: ['connected', 'closed'] },
        closeCode: { type: 'integer' },
        connections: {
          description: 'Attempts to connect',
          type: 'object',
          additionalProperties: false,
          required: ['min', 'max'],
          properties: { min: { type: 'integer', minimum: 0 }, max: count },
        },
        sent: { description: 'msg_ids acked SENT, in any order', ...ids },
        failed: { description: 'Reason for each msg_id acked FAILED', type: 'object', additionalProperties: text },
        processed: { description: 'msg_ids that the mock took to be delivered, in order, none twice', ...ids },
        received: { description: 'For each sender the msg_ids that the app saw, in order, none twice', type: 'object', additionalProperties: ids },
      },
    },
  },
  definitions: {
    position,
    action,
    serverError: {
      type: 'object',
      additionalProperties: false,
      required: ['code'],
      properties: { code: { type: 'integer' }, message: text },
    },
  },
} as const
