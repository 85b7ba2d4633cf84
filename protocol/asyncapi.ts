import { z } from 'zod';
import { eventSchema } from './events.ts';
import { messageSchemas } from './messages.ts';
import { type Channel, downChannels, retainedChannels, upChannels } from './topics.ts';
import { protocolVersion } from './version.ts';

const summaries: Readonly<Record<Channel, string>> = {
  presence: 'Whether the station is connected; also its will',
  hello: 'What the station has kept, said at every connection',
  state: 'The whole live state: at most one a second, at least one a report interval',
  events: 'A batch of the durable history',
  replies: 'The answer to a command',
  welcome: 'A session, the time, and how far every epoch is stored',
  reset: 'The session is not known: say hello again',
  ack: 'Everything up to here is committed',
  config: 'The remotely managed part of the configuration',
  commands: 'A command with an id and an expiry',
};

/** The MQTT contract as an AsyncAPI 3 document, generated from the schemas of this folder. */
export function asyncApiDocument(): Record<string, unknown> {
  return {
    asyncapi: '3.1.0',
    id: 'urn:yizhan:station-to-cloud',
    info: {
      title: 'yizhan: station to cloud',
      version: `${protocolVersion}.0.0`,
      description: 'MQTT 3.1.1 and 5, QoS 1, JSON. The rules of the durable lane are in protocol/README.md.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: 'application/json',
    servers: {
      cloud: {
        host: 'localhost:1883',
        protocol: 'mqtt',
        description: "The cloud's embedded broker, or the operator's own",
      },
    },
    channels: Object.fromEntries([...upChannels, ...downChannels].map((channel) => [channel, channelOf(channel)])),
    operations: {
      ...Object.fromEntries(upChannels.map((channel) => [`send-${channel}`, operationOf(channel, 'send')])),
      ...Object.fromEntries(downChannels.map((channel) => [`receive-${channel}`, operationOf(channel, 'receive')])),
    },
    components: {
      messages: Object.fromEntries([...upChannels, ...downChannels].map((channel) => [channel, messageOf(channel)])),
      schemas: { event: jsonSchema(eventSchema) },
    },
  };
}

function channelOf(channel: Channel): object {
  return {
    address: `stations/{stationId}/${channel}`,
    title: channel,
    description: summaries[channel],
    parameters: { stationId: { description: '1 to 48 of a-z 0-9 -' } },
    messages: { [channel]: { $ref: `#/components/messages/${channel}` } },
    bindings: { mqtt: { bindingVersion: '0.2.0' } },
  };
}

function operationOf(channel: Channel, action: 'send' | 'receive'): object {
  return {
    action,
    title: `${action} ${channel}`,
    description: `The station ${action === 'send' ? 'sends' : 'receives'}: ${summaries[channel]}`,
    channel: { $ref: `#/channels/${channel}` },
    messages: [{ $ref: `#/channels/${channel}/messages/${channel}` }],
    bindings: { mqtt: { qos: 1, retain: retainedChannels.has(channel), bindingVersion: '0.2.0' } },
  };
}

function messageOf(channel: Channel): object {
  return {
    name: channel,
    title: channel,
    summary: summaries[channel],
    contentType: 'application/json',
    payload: payloadOf(channel),
  };
}

function payloadOf(channel: Channel): object {
  const schema = jsonSchema(messageSchemas[channel]);
  if (channel !== 'events') return schema;
  // The codec checks events one by one; on paper they are what they have to be.
  const properties: Record<string, object> = { ...schema.properties };
  return {
    ...schema,
    properties: {
      ...properties,
      events: { type: 'array', minItems: 1, maxItems: 200, items: { $ref: '#/components/schemas/event' } },
    },
  };
}

function jsonSchema(schema: z.ZodType): { properties?: Record<string, object> } {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { target: 'draft-7', io: 'input' });
  return rest as { properties?: Record<string, object> };
}
