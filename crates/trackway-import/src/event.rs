//! The few fields of TensorBoard's messages that say what a point is (`tensorflow/core/util/event.proto`,
//! `framework/summary.proto`, `framework/tensor.proto`, `tensorboard/plugins/hparams/plugin_data.proto`):
//!
//! ```text
//! Event            1 double wall_time   2 int64 step   5 Summary
//! Summary          1 repeated Value
//! Value            1 string tag   2 float simple_value   8 Tensor   9 Metadata   4 image  5 histogram  6 audio
//! Metadata         1 PluginData { 1 string name   2 bytes content }
//! Tensor           1 dtype (1 float, 2 double)   2 Shape { 2 repeated dim }   4 bytes content   5 float[]   6 double[]
//! HParams          3 SessionStart { 1 repeated { 1 string key   2 Any { 2 double  3 string  4 bool } } }
//! ```
//!
//! On the wire each field is a key (number << 3 | kind) and a varint (kind 0), 8 bytes (1), 4 bytes (5), or a length
//! and that many bytes (2). Fields that are not listed are passed over.

use std::borrow::Cow;

/// What a value of a summary is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// A number: of a scalar as TensorFlow 1, PyTorch and tensorboardX write it.
    Scalar(f64),
    /// A tensor of one number, which is a scalar if the tag's plugin is the one of scalars.
    Tensor(f64),
    /// Params of the run; none in the messages that only say what a dashboard shows of them.
    Params(Vec<(String, String)>),
    /// Something else: its name.
    Other(&'static str),
}

/// One value of a summary.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Value {
    pub(crate) tag: String,
    pub(crate) plugin: String,
    pub(crate) kind: Kind,
}

/// One event. Its values are decoded one by one: a record may say that it has millions of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Event<'a> {
    /// Seconds since the Unix epoch.
    pub(crate) wall_time: f64,
    pub(crate) step: i64,
    summary: &'a [u8],
}

/// The bytes are no message of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Most params that are read of one session.
const MAX_PARAMS: usize = 1 << 16;

type Decoded<T> = Result<T, Malformed>;

/// The content of a field.
#[derive(Clone, Copy, Debug)]
enum Content<'a> {
    Varint(u64),
    Eight([u8; 8]),
    Four([u8; 4]),
    Bytes(&'a [u8]),
}

/// The fields of a message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Decoded<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    fn varint(&mut self) -> Decoded<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Malformed)
    }

    fn next(&mut self) -> Decoded<Option<(u64, Content<'a>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let content = match key & 7 {
            0 => Content::Varint(self.varint()?),
            1 => Content::Eight(self.array()?),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                Content::Bytes(self.take(length)?)
            }
            5 => Content::Four(self.array()?),
            _ => return Err(Malformed),
        };
        Ok(Some((key >> 3, content)))
    }

    fn each(mut self, mut each: impl FnMut(u64, Content<'a>) -> Decoded<()>) -> Decoded<()> {
        while let Some((number, content)) = self.next()? {
            each(number, content)?;
        }
        Ok(())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl<'a> Event<'a> {
    /// Reads an event.
    pub(crate) fn decode(bytes: &'a [u8]) -> Decoded<Self> {
        let mut event = Self::default();
        Fields(bytes).each(|number, content| {
            match (number, content) {
                (1, Content::Eight(bytes)) => event.wall_time = f64::from_le_bytes(bytes),
                // A negative number is stored in two's complement.
                (2, Content::Varint(step)) => event.step = step.cast_signed(),
                (5, Content::Bytes(summary)) => event.summary = summary,
                _ => {}
            }
            Ok(())
        })?;
        Ok(event)
    }

    /// Its values, in order.
    pub(crate) fn values(&self) -> impl Iterator<Item = Decoded<Value>> + 'a {
        let mut fields = Fields(self.summary);
        std::iter::from_fn(move || {
            loop {
                match fields.next() {
                    Ok(Some((1, Content::Bytes(value)))) => return Some(Value::decode(value)),
                    Ok(Some(_)) => {}
                    Ok(None) => return None,
                    Err(error) => {
                        fields = Fields(&[]);
                        return Some(Err(error));
                    }
                }
            }
        })
    }
}

impl Value {
    fn decode(bytes: &[u8]) -> Decoded<Self> {
        let (mut tag, mut plugin, mut kind) = (Cow::Borrowed(""), String::new(), Kind::Other("value of unknown kind"));
        let mut plugin_content: &[u8] = &[];
        Fields(bytes).each(|number, content| {
            match (number, content) {
                (1, Content::Bytes(bytes)) => tag = Cow::Owned(text(bytes)),
                (2, Content::Four(bytes)) => kind = Kind::Scalar(f64::from(f32::from_le_bytes(bytes))),
                (4, Content::Bytes(_)) => kind = Kind::Other("image"),
                (5, Content::Bytes(_)) => kind = Kind::Other("histogram"),
                (6, Content::Bytes(_)) => kind = Kind::Other("audio"),
                (8, Content::Bytes(bytes)) => kind = tensor(bytes)?.map_or(Kind::Other("tensor"), Kind::Tensor),
                (9, Content::Bytes(bytes)) => Fields(bytes).each(|number, content| {
                    if let (1, Content::Bytes(data)) = (number, content) {
                        Fields(data).each(|number, content| {
                            match (number, content) {
                                (1, Content::Bytes(name)) => plugin = text(name),
                                (2, Content::Bytes(bytes)) => plugin_content = bytes,
                                _ => {}
                            }
                            Ok(())
                        })?;
                    }
                    Ok(())
                })?,
                _ => {}
            }
            Ok(())
        })?;
        if plugin == "hparams" {
            kind = Kind::Params(params(plugin_content)?);
        }
        Ok(Self { tag: tag.into_owned(), plugin, kind })
    }
}

/// The number that a tensor is, if it is one number.
fn tensor(bytes: &[u8]) -> Decoded<Option<f64>> {
    let (mut dtype, mut dims, mut content, mut found) = (0, 0, &[][..], None);
    Fields(bytes).each(|number, field| {
        match (number, field) {
            (1, Content::Varint(kind)) => dtype = kind,
            (2, Content::Bytes(shape)) => Fields(shape).each(|number, _| {
                dims += u32::from(number == 2);
                Ok(())
            })?,
            (4, Content::Bytes(bytes)) => content = bytes,
            // Repeated numbers are packed into bytes, or each a field of its own.
            (5, Content::Four(bytes)) => found = Some(f64::from(f32::from_le_bytes(bytes))),
            (6, Content::Eight(bytes)) => found = Some(f64::from_le_bytes(bytes)),
            (5 | 6, Content::Bytes(bytes)) => content = bytes,
            _ => {}
        }
        Ok(())
    })?;
    if dims > 0 {
        return Ok(None);
    }
    Ok(match (dtype, content.len()) {
        (1, 4) => content.try_into().ok().map(|bytes| f64::from(f32::from_le_bytes(bytes))),
        (2, 8) => content.try_into().ok().map(f64::from_le_bytes),
        (1 | 2, 0) => found,
        _ => None,
    })
}

/// The params at the start of a session.
fn params(content: &[u8]) -> Decoded<Vec<(String, String)>> {
    let mut found = Vec::new();
    Fields(content).each(|number, start| {
        let (3, Content::Bytes(start)) = (number, start) else { return Ok(()) };
        Fields(start).each(|number, entry| {
            let (1, Content::Bytes(entry)) = (number, entry) else { return Ok(()) };
            let (mut key, mut value) = (String::new(), String::new());
            Fields(entry).each(|number, content| {
                match (number, content) {
                    (1, Content::Bytes(bytes)) => key = text(bytes),
                    (2, Content::Bytes(bytes)) => value = any_text(bytes)?,
                    _ => {}
                }
                Ok(())
            })?;
            if found.len() == MAX_PARAMS {
                return Err(Malformed);
            }
            found.push((key, value));
            Ok(())
        })
    })?;
    Ok(found)
}

/// A value of `google.protobuf.Value` as text; what is neither number, text nor truth is empty.
fn any_text(bytes: &[u8]) -> Decoded<String> {
    let mut found = String::new();
    Fields(bytes).each(|number, content| {
        match (number, content) {
            (2, Content::Eight(bytes)) => found = f64::from_le_bytes(bytes).to_string(),
            (3, Content::Bytes(bytes)) => found = text(bytes),
            (4, Content::Varint(truth)) => found = (truth != 0).to_string(),
            _ => {}
        }
        Ok(())
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2, content.len() as u8];
        bytes.extend_from_slice(content);
        bytes
    }

    fn decode(bytes: &[u8]) -> Decoded<(f64, i64, Vec<Value>)> {
        let event = Event::decode(bytes)?;
        Ok((event.wall_time, event.step, event.values().collect::<Decoded<_>>()?))
    }

    fn event(value: &[u8]) -> Vec<u8> {
        let mut bytes = vec![1 << 3 | 1];
        bytes.extend_from_slice(&1.5_f64.to_le_bytes());
        bytes.extend_from_slice(&[2 << 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
        bytes.extend(field(5, &field(1, value)));
        bytes
    }

    #[test]
    fn scalars_of_both_generations() {
        let first = [field(1, b"loss"), vec![2 << 3 | 5], 0.1_f32.to_le_bytes().to_vec()].concat();
        let kind = Kind::Scalar(f64::from(0.1_f32));
        let value = Value { tag: "loss".into(), plugin: String::new(), kind };
        assert_eq!(decode(&event(&first)), Ok((1.5, -1, vec![value])));
        // As TensorFlow 2 writes it: a tensor without dimensions, the number in its content.
        let tensor = |dtype: u8, content: &[u8]| {
            let bytes = [vec![1 << 3, dtype], field(2, &[]), field(4, content)].concat();
            [field(1, b"loss"), field(8, &bytes), field(9, &field(1, &field(1, b"scalars")))].concat()
        };
        for (bytes, number) in [(tensor(1, &0.5_f32.to_le_bytes()), 0.5), (tensor(2, &0.1_f64.to_le_bytes()), 0.1)] {
            let read = decode(&event(&bytes)).unwrap().2;
            assert_eq!((read[0].plugin.as_str(), &read[0].kind), ("scalars", &Kind::Tensor(number)));
        }
        // One dimension, or a type that is no number.
        let shaped = [vec![1 << 3, 1], field(2, &field(2, &[1 << 3, 1])), field(4, &[0; 4])].concat();
        for bytes in [[field(1, b"t"), field(8, &shaped)].concat(), tensor(7, b"text")] {
            assert_eq!(decode(&event(&bytes)).unwrap().2[0].kind, Kind::Other("tensor"));
        }
    }

    #[test]
    fn cut_events_are_malformed() {
        let whole = event(&[field(1, b"loss"), vec![2 << 3 | 5, 0, 0, 0, 0]].concat());
        // An event is not longer than its summary, which comes last.
        let summary = whole.len() - field(5, &field(1, &[0; 11])).len();
        for cut in summary + 1..whole.len() {
            assert_eq!(decode(&whole[..cut]), Err(Malformed), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_event_or_malformed(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
        }

        /// Bytes that look like events down to the last level.
        #[test]
        fn nested_bytes_are_an_event_or_malformed(
            number in 1_u8..10,
            outer in 1_u8..7,
            bytes in prop::collection::vec(any::<u8>(), 0..60)
        ) {
            let _ = decode(&event(&field(number, &bytes)));
            let _ = decode(&event(&field(9, &field(1, &[field(1, b"hparams"), field(2, &field(3, &field(outer, &bytes)))].concat()))));
            let _ = decode(&event(&field(8, &[vec![1 << 3, outer], field(outer, &bytes)].concat())));
        }
    }
}
