import type { Amf0Object } from '../../media/flv/amf0.ts';

const CAN_DECODE_AND_FORWARD = 0x01 | 0x04;
const CAPS_MULTITRACK_AND_MOD_EX = 0x02 | 0x04;
const VIDEO = ['avc1', 'hvc1', 'av01', 'vp09'];
const AUDIO = ['mp4a', 'Opus'];

const CAPABILITIES: Amf0Object = Object.freeze({
  fourCcList: [...VIDEO, ...AUDIO],
  videoFourCcInfoMap: infoMap(VIDEO),
  audioFourCcInfoMap: infoMap(AUDIO),
  capsEx: CAPS_MULTITRACK_AND_MOD_EX,
});

/**
 * Properties and information of the answer to `connect` (Enhanced RTMP v2, "Enhancing NetConnection connect Command").
 * The capabilities stand in both, since clients look in either.
 */
export function connectReply(objectEncoding: number): [properties: Amf0Object, information: Amf0Object] {
  return [
    { fmsVer: 'FMS/3,0,1,123', capabilities: 31, ...CAPABILITIES },
    {
      level: 'status',
      code: 'NetConnection.Connect.Success',
      description: 'Connection succeeded.',
      objectEncoding,
      ...CAPABILITIES,
    },
  ];
}

function infoMap(fourCcs: readonly string[]): Amf0Object {
  return Object.fromEntries(fourCcs.map((fourCc) => [fourCc, CAN_DECODE_AND_FORWARD]));
}
