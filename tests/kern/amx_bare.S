/* From a multiboot loader's 32-bit mode to 64-bit C with AVX-512 and AMX enabled: the first
 * GB of memory mapped as it is, interrupts off, no handler for any exception. */
#define HEADER_MAGIC 0x1badb002
#define HEADER_FLAGS 0

#define CR4_PAE        (1 << 5)
#define CR4_OSFXSR     (1 << 9)
#define CR4_OSXMMEXCPT (1 << 10)
#define CR4_OSXSAVE    (1 << 18)
#define CR0_MP         (1 << 1)
#define CR0_EM         (1 << 2)
#define CR0_PG         (1 << 31)
#define MSR_EFER       0xc0000080
#define EFER_LME       (1 << 8)
#define XCR0_ALL       0x600e7 /* x87, SSE, AVX, AVX-512, tile configuration and data */

    .section .multiboot, "a"
    .align 4
    .long HEADER_MAGIC, HEADER_FLAGS, -(HEADER_MAGIC + HEADER_FLAGS)

    .text
    .code32
    .globl _start
_start:
    cli
    movl $pages, %edi               /* 512 pages of 2 MB: present, writable, large */
    movl $0x83, %eax
1:  movl %eax, (%edi)
    movl $0, 4(%edi)
    addl $0x200000, %eax
    addl $8, %edi
    cmpl $(pages + 4096), %edi
    jne 1b
    movl $(pages + 3), directory
    movl $(directory + 3), root
    movl $root, %eax
    movl %eax, %cr3
    movl $(CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE), %eax
    movl %eax, %cr4
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    wrmsr
    movl %cr0, %eax
    andl $~CR0_EM, %eax
    orl $(CR0_PG | CR0_MP), %eax
    movl %eax, %cr0
    lgdt gdt_pointer
    ljmp $8, $long_mode

    .code64
long_mode:
    movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $stack_end, %esp
    xorl %ecx, %ecx
    movl $XCR0_ALL, %eax
    xorl %edx, %edx
    xsetbv
    call amx_bare_main
2:  hlt
    jmp 2b

    .data
    .align 8
gdt:
    .quad 0, 0x00209a0000000000, 0x0000920000000000
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt

    .bss
    .align 4096
root:
    .skip 4096
directory:
    .skip 4096
pages:
    .skip 4096
stack:
    .skip 1 << 20
stack_end:

    .section .note.GNU-stack, "", @progbits
