// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a guest is told about its machine. Compiled by iasl at build time. The numbers are those of
 * vmm/layout.h: they must be changed together.
 */
DefinitionBlock ("dsdt.aml", "DSDT", 2, "LEAT  ", "LEATDSDT", 1)
{
    Name (\_S5, Package () { 5, 5, 0, 0 })

    Scope (\_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A08")) // PCI Express host bridge
            Name (_CID, EisaId ("PNP0A03"))
            Name (_UID, 0)
            Name (_SEG, 0)
            Name (_BBN, 0)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0x0000, 0x0000, 0x0000, 0x0000, 0x0001)
                IO (Decode16, 0x0CF8, 0x0CF8, 0x01, 0x08)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x0000, 0xC000, 0xFFFF, 0x0000, 0x4000)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x00000000, 0xC0000000, 0xDFFFFFFF, 0x00000000, 0x20000000)
            })

            // Pin p of slot s is GSI 16 + (s + p) % 8; package: slot << 16 | any function, pin, source, GSI
            Method (_PRT, 0, NotSerialized)
            {
                Local0 = Package (128) {}
                Local1 = Zero
                While (Local1 < 128)
                {
                    Local2 = Local1 >> 2
                    Local3 = Local1 & 3
                    Local4 = Package (4) { 0, 0, 0, 0 }
                    Local4 [0] = (Local2 << 16) | 0xFFFF
                    Local4 [1] = Local3
                    Local4 [3] = 16 + ((Local2 + Local3) & 7)
                    Local0 [Local1] = Local4
                    Local1++
                }
                Return (Local0)
            }
        }

        Device (MRES) // configuration space and interrupt controllers: not to be given away
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_UID, 1)
            Name (_CRS, ResourceTemplate ()
            {
                Memory32Fixed (ReadWrite, 0xE0000000, 0x00100000)
                IO (Decode16, 0x0600, 0x0600, 0x01, 0x0C)
            })
        }

        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 1)
            Name (_STA, 0x0F)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x03F8, 0x03F8, 0x01, 0x08)
                IRQNoFlags () { 4 }
            })
        }

        Device (RTC0)
        {
            Name (_HID, EisaId ("PNP0B00"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0070, 0x0070, 0x01, 0x02)
                IRQNoFlags () { 8 }
            })
        }
    }
}
