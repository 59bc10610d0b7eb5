//! kernel/kfunc: the object's calls of kernel functions, made real on the kernels that want them.

use profiler_common::kfunc::FUNCTIONS;

use super::{btf::Btf, version::programs_are_preempted};

/// `BPF_JMP | BPF_CALL` of `include/uapi/linux/bpf.h`.
const CALL: u8 = 0x85;
/// `BPF_PSEUDO_KFUNC_CALL`, as the source register of a call.
const KERNEL_FUNCTION: u8 = 2 << 4;
/// `r0 = 0`: what a call leaves behind is not looked at.
const NOTHING: [u8; 8] = [0xb7, 0, 0, 0, 0, 0, 0, 0];

/// Which of [`FUNCTIONS`] are called, by their ids in the kernel's BTF.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calls(Option<[u32; FUNCTIONS.len()]>);

impl Calls {
    /// Not one of these calls is made.
    pub(super) const NONE: Self = Self(None);

    /// Those that this kernel wants: where programs on system calls are preempted, and all of the
    /// functions are there.
    pub(super) fn wanted(types: &Btf) -> Self {
        if programs_are_preempted() { Self::from_btf(types) } else { Self::NONE }
    }

    fn from_btf(types: &Btf) -> Self {
        let mut ids = [0; FUNCTIONS.len()];
        for (id, (_, name)) in ids.iter_mut().zip(FUNCTIONS) {
            let Some(found) = types.function(name) else { return Self::NONE };
            *id = found;
        }
        Self(Some(ids))
    }

    pub(super) fn any(self) -> bool {
        self.0.is_some()
    }

    /// The object for this kernel. Code is made of words of eight bytes, and so aligned.
    pub(super) fn put_into(self, object: &[u8]) -> Vec<u8> {
        let mut object = object.to_vec();
        for word in object.as_chunks_mut::<8>().0 {
            let [CALL, 0, 0, 0, number @ ..] = *word else { continue };
            let Some(index) = FUNCTIONS.iter().position(|(made_up, _)| made_up.to_le_bytes() == number) else {
                continue;
            };
            *word = NOTHING;
            if let Some(ids) = self.0 {
                word[..2].copy_from_slice(&[CALL, KERNEL_FUNCTION]);
                word[4..].copy_from_slice(&ids[index].to_le_bytes());
            }
        }
        object
    }
}

#[cfg(test)]
mod tests {
    use profiler_common::kfunc::{PREEMPT_DISABLE, PREEMPT_ENABLE};

    use super::*;

    fn call(number: u32) -> [u8; 8] {
        let mut word = [CALL, 0, 0, 0, 0, 0, 0, 0];
        word[4..].copy_from_slice(&number.to_le_bytes());
        word
    }

    #[test]
    fn calls_of_made_up_helpers_become_functions_or_nothing_and_others_stay() {
        let object = [call(PREEMPT_DISABLE), call(5), call(PREEMPT_ENABLE)].concat();
        let real = Calls(Some([1_000, 1_001])).put_into(&object);
        assert_eq!(real[..8], [CALL, 0x20, 0, 0, 0xe8, 3, 0, 0]);
        assert_eq!(real[8..16], call(5));
        assert_eq!(real[16..], [CALL, 0x20, 0, 0, 0xe9, 3, 0, 0]);
        assert_eq!(Calls::NONE.put_into(&object), [NOTHING, call(5), NOTHING].concat());
    }

    #[test]
    fn the_object_has_as_many_ends_as_beginnings() {
        let count =
            |number| super::super::loader::OBJECT.as_chunks::<8>().0.iter().filter(|w| **w == call(number)).count();
        // Two programs and their spares, in two forms.
        assert_eq!((count(PREEMPT_DISABLE), count(PREEMPT_ENABLE)), (8, 8));
    }
}
