# SPDX-License-Identifier: GPL-2.0-or-later
"""What scripts/build-guests takes from a kernel package as Debian 12 and as Debian 13 has it."""

import pytest

from dseg import Failure
from dseg.guests import images

DEPENDENCIES = '''\
kernel/arch/x86/kvm/kvm-amd.ko.xz: kernel/arch/x86/kvm/kvm.ko.xz kernel/virt/lib/irqbypass.ko.xz
kernel/arch/x86/kvm/kvm.ko.xz: kernel/virt/lib/irqbypass.ko.xz
kernel/virt/lib/irqbypass.ko.xz:
'''
BUILT_IN = 'kernel/drivers/virtio/virtio_pci.ko\nkernel/drivers/char/hw-random/rng-core.ko\n'


PACKAGE = 'linux-image-6.12.1-cloud-amd64'
RELEASE = '6.12.1-cloud-amd64'
CONTROL = (f'Package: {PACKAGE}\nVersion: 1\nArchitecture: amd64\nMaintainer: nobody\n'
           'Description: for a test\n')


@pytest.fixture(params=['lib/modules', 'usr/lib/modules'])
def kernel(request, tmp_path, monkeypatch):
    """The folder of modules of such a package, unpacked."""
    content = tmp_path / 'content'
    modules = content / request.param / RELEASE
    modules.mkdir(parents=True)
    (modules / 'modules.dep').write_text(DEPENDENCIES)
    (modules / 'modules.builtin').write_text(BUILT_IN)
    (content / 'DEBIAN').mkdir()
    (content / 'DEBIAN/control').write_text(CONTROL)
    images.run('dpkg-deb', '--build', '-Znone', content, tmp_path / f'{PACKAGE}_1_amd64.deb')
    monkeypatch.setattr(images, 'DOWNLOADS', tmp_path)
    monkeypatch.setattr(images, 'KERNEL_TREE', tmp_path / 'tree')
    images.unpack([PACKAGE], images.KERNEL_TREE)
    return images.kernel_modules()


def test_depmod_finds_the_modules(kernel):
    images.run(images.busybox(), 'depmod', '-b', images.KERNEL_TREE, kernel.name)
    assert (kernel / 'modules.dep').read_text() == ''       # of the files that there are: none


def test_a_module_comes_with_what_it_depends_on(kernel):
    assert images.files_of_module(kernel, 'kvm_amd') == [
        'kernel/arch/x86/kvm/kvm-amd.ko.xz', 'kernel/arch/x86/kvm/kvm.ko.xz',
        'kernel/virt/lib/irqbypass.ko.xz']


@pytest.mark.parametrize('name', ['virtio_pci', 'rng_core'])
def test_a_module_that_is_built_in_needs_no_file(kernel, name):
    assert images.files_of_module(kernel, name) == []


def test_a_module_that_the_kernel_does_not_have_is_an_error(kernel):
    with pytest.raises(Failure, match='the kernel package has no module virtio$'):
        images.files_of_module(kernel, 'virtio')


def test_the_firmware_is_named_by_what_it_is():
    """bios-microvm.bin is qboot in Debian 12 and SeaBIOS in 13, which boots no kernel by itself."""
    assert 'bios-microvm.bin' not in images.FIRMWARE
    assert 'qboot.rom' in images.FIRMWARE
